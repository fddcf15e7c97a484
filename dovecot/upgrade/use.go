package upgrade

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// use is the table's use for one setting.
type use struct {
	*converter
	node   *node
	raw    string // the value as it is written
	driver string // of a database
	binds  bool   // to LDAP, which then needs to tell no password
}

// errAbsent drops a line of what the table writes.
var errAbsent = errors.New("there is nothing to write")

var (
	closing  = regexp.MustCompile(` \}( |$)`)
	numbered = regexp.MustCompile(`^imapsieve_mailbox\d+_`)
	digits   = regexp.MustCompile(`\d+`)
)

// expand writes what the table says, one line for each setting and each edge of a
// section. Each line is a template: one that comes to nothing is dropped.
func (u use) expand(spec string) ([]string, error) {
	for closing.MatchString(spec) {
		spec = closing.ReplaceAllString(spec, "\n}$1")
	}
	spec = strings.NewReplacer(" { ", " {\n", "; ", "\n").Replace(spec)
	var out []string
	indent := ""
	for line := range strings.SplitSeq(spec, "\n") {
		text, err := u.line(strings.TrimSpace(line))
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if text == "}" {
			indent = indent[2:]
		}
		for part := range strings.SplitSeq(text, "\n") {
			if text != "" {
				out = append(out, strings.TrimRight(indent+part, " "))
			}
		}
		if strings.HasSuffix(line, " {") {
			indent += "  "
		}
	}
	return out, nil
}

func (u use) line(line string) (string, error) {
	if !strings.Contains(line, "{{") {
		return line, nil
	}
	t, err := template.New("").Funcs(u.functions()).Parse(line)
	if err != nil {
		return "", err
	}
	value := ""
	if strings.Contains(line, "{{.}}") {
		if value, err = u.words(u.raw); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	if err := t.Execute(&b, value); err != nil {
		if inner := (template.ExecError{}); errors.As(err, &inner) && errors.Unwrap(inner.Err) != nil {
			return "", errors.Unwrap(inner.Err)
		}
		return "", err
	}
	return b.String(), nil
}

// functions are the words that the table's last column is written with.
func (u use) functions() template.FuncMap {
	value := u.node.Value
	return template.FuncMap{
		"value":       func() string { return value },
		"yes":         func() bool { return value == "yes" || value == "y" || value == "1" || value == "true" },
		"file":        u.file,
		"digits":      func() string { return digits.FindString(u.node.Key) },
		"global":      u.global,
		"groups":      u.groups,
		"environment": u.environment,
		"other":       func(key string) bool { return u.plugin[key] != nil },
		"option":      func(name string) (string, error) { return option(value, name) },
		"first":       func() string { first, _, _ := strings.Cut(value, " "); return first },
		"rest": func() (string, error) {
			_, rest, _ := strings.Cut(value, " ")
			return u.words(rest)
		},
		"size":       func() string { return size(value) },
		"mailbox":    func() (string, error) { return mailbox(value) },
		"languages":  func() string { return languages(value) },
		"oldest":     func() string { return oldest(value) },
		"list":       u.always,
		"location":   u.location,
		"dict":       u.dict,
		"fields":     u.fields,
		"arguments":  u.arguments,
		"acl":        u.acl,
		"push":       u.push,
		"quota":      u.quota,
		"rule":       u.rule,
		"grace":      grace(value),
		"warning":    u.warning,
		"script":     u.script,
		"default":    u.defaultName,
		"personal":   u.personal,
		"imapsieve":  u.imapsieve,
		"level":      u.level,
		"connect":    u.connect,
		"query":      u.query,
		"uris":       u.uris,
		"attributes": u.attributes,
	}
}

// file is a path that 2.3 has the contents of.
func (u use) file() (string, error) {
	if !u.node.FromFile && !strings.HasPrefix(u.node.Value, "<") && u.node.Value != "" {
		return "", fmt.Errorf("the value itself stands in the line: write it to a file, and its path in the place of %s", u.node.Key)
	}
	return strings.TrimSpace(strings.TrimPrefix(u.node.Value, "<")), nil
}

// option is one of name=value, between spaces.
func option(value, name string) (string, error) {
	for word := range strings.FieldsSeq(value) {
		if found, ok := strings.CutPrefix(word, name+"="); ok {
			return found, nil
		}
	}
	return "", errAbsent
}

// size is a size in bytes where no unit is written, 0 is none.
func size(value string) string {
	switch {
	case value == "0":
		return "unlimited"
	case value != "" && strings.Trim(value, "0123456789") == "":
		return value + "B"
	}
	return value
}

// mailbox is the name of one.
func mailbox(name string) (string, error) {
	switch {
	case strings.HasSuffix(name, "/") || strings.HasSuffix(name, "."):
		return "", fmt.Errorf("%s is the prefix of a namespace, and in Dovecot 2.4 it is a mailbox", name)
	case strings.HasPrefix(name, `\`):
		return "", fmt.Errorf("%s is a special use: write the name of the mailbox", name)
	}
	return quoted(name), nil
}

// languages are those to look for, the first being the one for what is none of them.
func languages(value string) string {
	var lines []string
	for i, name := range strings.Fields(value) {
		lines = append(lines, "language "+name+" {")
		if i == 0 {
			lines = append(lines, "  default = yes")
		}
		lines = append(lines, "}")
	}
	return strings.Join(lines, "\n")
}

// oldest is the oldest version that a list such as "!SSLv2 !SSLv3" allows.
func oldest(value string) string {
	versions := []string{"TLSv1", "TLSv1.1", "TLSv1.2"}
	words := strings.Fields(value)
	for _, version := range versions {
		if slices.Contains(words, version) || strings.HasPrefix(value, "!") && !slices.Contains(words, "!"+version) {
			return version
		}
	}
	return "TLSv1.2"
}

// always is a list, that adds where it is signed.
func (u use) always() string {
	lines, ok := u.list(u.node.Key)
	if !ok {
		return "= " + u.node.Value
	}
	return strings.TrimPrefix(strings.Join(lines, "\n"), u.node.Key+" ")
}

// groups are the fields of group_by, some with how to part their values.
func (u use) groups() (string, error) {
	var lines []string
	for word := range strings.FieldsSeq(u.node.Value) {
		field, method, _ := strings.Cut(word, ":")
		lines = append(lines, "group_by "+field+" {")
		parts := strings.Split(method, ":")
		names := map[string][]string{"exponential": {"min_magnitude", "max_magnitude", "base"}, "linear": {"min", "max", "step"}}[parts[0]]
		if method != "" {
			lines = append(lines, "  method "+parts[0]+" {")
			for i, part := range parts[1:] {
				if i >= len(names) {
					return "", fmt.Errorf("write group_by %s { … } by hand", field)
				}
				lines = append(lines, "    "+parts[0]+"_"+names[i]+" = "+part)
			}
			lines = append(lines, "  }")
		}
		lines = append(lines, "}")
	}
	return strings.Join(lines, "\n"), nil
}

// environment is one setting for each variable; one without a value is what it was.
func (u use) environment() string {
	lines := []string{"import_environment {"}
	for word := range strings.FieldsSeq(u.node.Value) {
		name, value, set := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(word, "$"):
			continue
		case !set:
			value = "%{env:" + name + "}"
		}
		lines = append(lines, "  "+name+" = "+value)
	}
	return strings.Join(append(lines, "}"), "\n")
}
