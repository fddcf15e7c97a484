package dovecot

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
	before, now []string // 2.3's names and 2.4's, each with its section
	how         string
}

var spellings = sync.OnceValue(func() []spelling { return parseSpellings(spellingTable) })

func parseSpellings(table string) []spelling {
	var all []spelling
	for line := range strings.Lines(table) {
		column := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(column) != 3 || strings.HasPrefix(line, "#") {
			continue
		}
		all = append(all, spelling{names(column[0]), names(column[1]), strings.TrimSpace(column[2])})
	}
	return all
}

func names(column string) []string {
	if column = strings.TrimSpace(column); column == "-" {
		return nil
	}
	return strings.Split(column, ", ")
}

// otherDialect says how this dialect spells a name of the other one; it is empty
// where the name is not known to be one. Without a section any is looked into.
func otherDialect(section, name, dialect string) string {
	for _, s := range spellings() {
		from, to, where := s.before, s.now, "in Dovecot 2.4"
		if dialect == "2.3" {
			from, to, where = s.now, s.before, "this is Dovecot 2.3, where"
		}
		if !slices.ContainsFunc(from, func(known string) bool { return matches(known, section, name) }) {
			continue
		}
		return s.hint(where, to, dialect)
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
func (s spelling) hint(where string, to []string, dialect string) string {
	names := strings.Join(leaves(to, dialect), ", ")
	switch {
	case len(to) == 0 && dialect == "2.3":
		return where + " it is not known: " + s.how
	case len(to) == 0:
		return where + " it is gone: " + s.how
	case s.how == "" || dialect == "2.3":
		return where + " it is " + names
	}
	return where + " it is " + names + ": " + s.how
}

// leaves are names without their section, but for those in plugin { }.
func leaves(names []string, dialect string) []string {
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
	return all
}
