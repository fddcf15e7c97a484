package lint

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"pidgeon/lazyregexp"
)

//go:embed dialects.txt
var dialects string

// sections holds dialects.txt by its sections, each row as the columns that the section's
// heading names.
var sections = sync.OnceValue(func() map[string][][]string {
	all := map[string][][]string{}
	section, columns := "", 0
	for line := range strings.Lines(dialects) {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#' || line[0] == '@':
		case line[0] == '[':
			name, heading, _ := strings.Cut(line[1:], "]")
			section, columns = name, strings.Count(heading, "|")+1
		default:
			row := slices.Grow(strings.SplitN(line, "|", columns), columns)[:columns]
			for i := range row {
				row[i] = strings.TrimSpace(row[i])
			}
			all[section] = append(all[section], row)
		}
	}
	return all
})

// TableRows are the rows of a section of dialects.txt.
func TableRows(section string) [][]string { return sections()[section] }

// TableRow is the row of a section that begins with the first of the names that has one, nil
// if none has.
func TableRow(section string, names ...string) []string {
	for _, name := range names {
		for _, row := range TableRows(section) {
			if row[0] == name {
				return row
			}
		}
	}
	return nil
}

// TableList is a list of dialects.txt.
func TableList(name string) (words []string) {
	if row := TableRow("lists", name); row != nil {
		words = strings.Fields(row[1])
	}
	return words
}

// listed reports whether a word is in a list of the table's.
func listed(word, name string) bool { return slices.Contains(TableList(name), word) }

// Replacement says what replaces a section or a plugin that 2.4 has dropped.
func Replacement(kind, name string) string {
	if row := TableRow("gone", kind+"/"+name); row != nil {
		return row[1]
	}
	return ""
}

var (
	group    = lazyregexp.New(`^imapsieve_mailbox\d+_`)
	language = lazyregexp.New(`^(fts_(?:filters|tokenizers))_[a-z]+$`)
)

// PluginSettingFamily is the name of a setting of plugin { } without its number or language,
// as it is in the table.
func PluginSettingFamily(key string) string {
	key = language.ReplaceAllString(key, "${1}_LANGUAGE")
	return strings.TrimRight(group.ReplaceAllString(key, "imapsieve_mailbox_"), "0123456789")
}

// spelling has the names of a thing in both dialects.
type spelling struct {
	dialect  string   // to translate to
	from, to []string // the other dialect's names and this one's, each with its section
	how      string
}

func spelled(row []string, dialect string) spelling {
	before, now := names(row[0]), names(row[1])
	if dialect == "2.3" {
		before, now = now, before
	}
	return spelling{dialect, before, now, row[2]}
}

func names(column string) []string {
	if column == "-" {
		return nil
	}
	return strings.Split(column, ", ")
}

// hint tells the new name, and how to convert the value. On 2.3 the conversion
// is told only where there is no name.
func (s spelling) hint() string {
	where, gone := "in Dovecot 2.4 it is ", "gone"
	if s.dialect == "2.3" {
		where, gone = "this is Dovecot 2.3, where it is ", "not known"
	}
	if s.dialect == "2.4" && strings.TrimPrefix(s.from[0], "plugin/") == strings.Join(s.to, ", ") {
		return strings.TrimSuffix("in Dovecot 2.4 it stands outside of plugin { }: "+s.how, ": ")
	}
	switch names := s.leaves(); {
	case names == "":
		return where + gone + ": " + s.how
	case s.how == "" || s.dialect == "2.3":
		return where + names
	default:
		return where + names + ": " + s.how
	}
}

// leaves are the new names without their section, but for those in plugin { }.
func (s spelling) leaves() string {
	var all []string
	for _, name := range s.to {
		section, leaf, inSection := strings.Cut(name, "/")
		switch {
		case !inSection:
			leaf = name
		case section == "plugin" && s.dialect == "2.3":
			leaf += " in plugin { }"
		}
		all = append(all, leaf)
	}
	return strings.Join(all, ", ")
}
