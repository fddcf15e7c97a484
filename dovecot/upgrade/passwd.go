package upgrade

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pidgeon/dovecot/lint"
)

// said has the values of one extra field in all lines of a passwd-file.
type said struct {
	values []string
	users  int
	line   int   // the first
	old    int   // the first with a variable of 2.3
	why    error // what is wrong there
}

// passwdFile writes settings for the extra fields of a passwd-file that 2.4 ignores; the file
// stays.
func (u use) passwdFile(path string) (lines []string) {
	section := u.node.up
	prefetched := slices.ContainsFunc(u.all, func(n *node) bool { return n.Opens && n.Key == "userdb" && n.value("driver") == "prefetch" })
	if section.Key == "passdb" && !prefetched { // nobody asks for it
		return nil
	}
	f, ok := u.beside(u.node, path)
	if !ok {
		u.differs(path+" cannot be read, and Dovecot 2.4 passes over userdb_quota_rule and userdb_mail in it",
			"put it beside the configuration where it has any of them")
		return nil
	}
	var all []string
	fields, users := u.extraFields(f.Data)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field, base := fields[name], strings.TrimPrefix(name, "userdb_")
		at := &node{file: f}
		at.Last = field.line
		if field.why != nil {
			at.Last = field.old
			lines = append(lines, u.note(at, name, field.why.Error()))
			continue
		}
		if base == name { // which is the passdb's
			continue
		}
		what := base
		if section.Key == "passdb" {
			what = name
		}
		if now := map[string]string{"quota_rule": "userdb_quota_storage_size", "mail": "userdb_mail_path"}[base]; fields[now].users >= field.users {
			continue // it serves both dialects
		}
		written, err := u.imported(what, "passwd_file:"+what, strings.Join(field.values, " "))
		if base == "mail" && err == nil && field.users < users && otherwise(u.Global("mail_location")) == "" {
			err = fmt.Errorf("others have none, and the mail_location of these cannot be told from their names alone: write it for each")
		}
		if err != nil {
			lines = append(lines, u.note(at, name, err.Error()))
		}
		all = append(all, written...)
	}
	return append(lines, defines("fields", all)...)
}

// extraFields reads the last column of a passwd-file.
func (u use) extraFields(data []byte) (fields map[string]said, users int) {
	fields = map[string]said{}
	place := lint.ValuePlace{Key: "fields", Sections: []string{"userdb"}}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		columns := strings.SplitN(strings.TrimSpace(line), ":", 8)
		if columns[0] == "" || columns[0][0] == '#' {
			continue
		}
		if users++; len(columns) < 8 {
			continue
		}
		for word := range strings.FieldsSeq(columns[7]) {
			name, value, _ := strings.Cut(word, "=")
			field := fields[name]
			if field.users++; field.line == 0 {
				field.line = number
			}
			field.values = append(field.values, value)
			now := place.ConvertVariables(value, func(string, string, error) {})
			if now != value && field.why == nil {
				field.old, field.why = number, fmt.Errorf("it has a variable of 2.3: write %s", strings.ReplaceAll(now, " | ", "|"))
			}
			fields[name] = field
		}
	}
	return fields, users
}
