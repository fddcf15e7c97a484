package lint

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed spellings.txt
var spellingTable string

// spelling is what both dialects call one thing.
type spelling struct {
	from, to []string // the other dialect's names and this one's, each with its section
	how      string
}

// spellings are looked up by the dialect to translate to, and by a name of the other
// one without its section.
var spellings = sync.OnceValue(func() map[string]map[string][]spelling {
	all := map[string]map[string][]spelling{"2.3": {}, "2.4": {}}
	for line := range strings.Lines(spellingTable) {
		column := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(column) != 3 || strings.HasPrefix(line, "#") {
			continue
		}
		before, now, how := names(column[0]), names(column[1]), strings.TrimSpace(column[2])
		for dialect, s := range map[string]spelling{"2.3": {now, before, how}, "2.4": {before, now, how}} {
			for _, name := range s.from {
				leaf := name[strings.Index(name, "/")+1:]
				all[dialect][leaf] = append(all[dialect][leaf], s)
			}
		}
	}
	return all
})

func names(column string) []string {
	if column = strings.TrimSpace(column); column == "-" {
		return nil
	}
	return strings.Split(column, ", ")
}

// otherDialect says how this dialect spells a name of the other one; it is empty
// where the name is not known to be one. Without a section any is looked into.
func otherDialect(section, name, dialect string) string {
	for _, s := range spellings()[dialect][name] {
		if slices.ContainsFunc(s.from, func(known string) bool { return matches(known, section, name) }) {
			return s.hint(dialect)
		}
	}
	return ""
}

// matches compares a name of the table with one in a section. The names of
// plugins had a section of their own in 2.3, and have none in 2.4.
func matches(known, section, name string) bool {
	kind, leaf, inSection := strings.Cut(known, "/")
	switch {
	case !inSection:
		return known == name && section != "plugin"
	case section == "":
		return leaf == name && kind != "plugin"
	}
	return leaf == name && kind == section
}

// hint tells the new name, and how to convert the value. On 2.3 the conversion
// is told only where there is no name.
func (s spelling) hint(dialect string) string {
	where, gone := "in Dovecot 2.4 it is ", "gone"
	if dialect == "2.3" {
		where, gone = "this is Dovecot 2.3, where it is ", "not known"
	}
	switch names := leaves(s.to, dialect); {
	case names == "":
		return where + gone + ": " + s.how
	case s.how == "" || dialect == "2.3":
		return where + names
	default:
		return where + names + ": " + s.how
	}
}

// leaves are names without their section, but for those in plugin { }.
func leaves(names []string, dialect string) string {
	var all []string
	for _, name := range names {
		section, leaf, inSection := strings.Cut(name, "/")
		switch {
		case !inSection:
			leaf = name
		case section == "plugin" && dialect == "2.3":
			leaf += " in plugin { }"
		}
		all = append(all, leaf)
	}
	return strings.Join(all, ", ")
}
