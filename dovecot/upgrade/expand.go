package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"pidgeon/dovecot/lint"
	"pidgeon/lazyregexp"
)

// use is a setting that is converted by a row of the table, whose templates call the exported
// methods.
type use struct {
	*converter
	node      *node
	raw       string // the value as it is written
	converted string // the value in 2.4's words
	driver    string // of a database
	binds     bool   // to LDAP, which then needs to tell no password
}

// errAbsent drops a line of a row's output.
var errAbsent = errors.New("there is nothing to write")

var (
	closing  = lazyregexp.New(` \}( |$)`)
	numbered = lazyregexp.New(`^imapsieve_mailbox\d+_`)
	digits   = lazyregexp.New(`\d+`)
)

// expand executes the last column of a row: one template for each line of output, which is
// dropped if it is empty.
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
	t, err := template.New("").Parse(line)
	if err == nil && strings.Contains(line, "{{.}}") {
		u.converted, err = u.words(u.raw)
	}
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, u); err != nil {
		if inner := (template.ExecError{}); errors.As(err, &inner) && errors.Unwrap(inner.Err) != nil {
			return "", errors.Unwrap(inner.Err)
		}
		return "", err
	}
	return b.String(), nil
}

// String is the value in 2.4's words.
func (u use) String() string { return u.converted }

func (u use) Value() string { return u.node.Value }

func (u use) Yes() bool { return slices.Contains([]string{"yes", "y", "1", "true"}, u.node.Value) }

// Ending is the last word of the setting's name.
func (u use) Ending() string { return u.node.Key[strings.LastIndex(u.node.Key, "_")+1:] }

// Digits is the number in the setting's name.
func (u use) Digits() string { return digits.FindString(u.node.Key) }

// Other reports whether plugin { } has another setting.
func (u use) Other(key string) bool { return u.plugin[key] != nil }

func (u use) Option(name string) (string, error) { return option(u.node.Value, name) }

// First is the first word of the value, and Rest what follows it.
func (u use) First() string { return strings.Split(u.node.Value, " ")[0] }

func (u use) Rest() (string, error) {
	_, rest, _ := strings.Cut(u.node.Value, " ")
	return u.words(rest)
}

func (u use) Without(prefix string) string { return strings.TrimPrefix(u.node.Value, prefix) }

// File is the path of a value that 2.3 reads from a file.
func (u use) File() (string, error) {
	if !u.node.FromFile && !strings.HasPrefix(u.node.Value, "<") && u.node.Value != "" {
		return "", fmt.Errorf("the value itself stands in the line: write it to a file, and its path in the place of %s", u.node.Key)
	}
	return strings.TrimSpace(strings.TrimPrefix(u.node.Value, "<")), nil
}

// Only fails for a setting that matters with another setting or plugin, if that is set.
func (u use) Only(beside string) (string, error) {
	set := slices.ContainsFunc(u.all, func(n *node) bool {
		return n.Setting && (n.Key == beside && n.Value != "" || n.Key == "mail_plugins" && slices.Contains(lint.ListItems(n.Value), beside))
	})
	if !set {
		return "", nil
	}
	if row := rowFor(u.node.around(), u.node.Key); row != nil {
		return "", errors.New(row[2])
	}
	return "", errors.New("it is gone") // as a plugin, of which the table says why
}

// Pairs converts names with values, each to a setting.
func (u use) Pairs(between string) (string, error) {
	var lines []string
	words := strings.Fields(u.node.Value)
	for i := 0; i < len(words); i++ {
		name, value, _ := strings.Cut(words[i], "=")
		if between == " " && i+1 < len(words) {
			i++
			value = words[i]
		}
		now, err := u.words(value)
		if err != nil {
			return "", err
		}
		lines = append(lines, name+" = "+now)
	}
	return strings.Join(lines, "\n"), nil
}

// option24 is what 2.4 has for an option that 2.3 writes in a value, empty if nothing.
func option24(of, name string) string {
	if row := lint.TableRow("options", of+"/"+name); row != nil {
		return row[1]
	}
	return ""
}

// option is the value of one name=value of a list.
func option(value, name string) (string, error) {
	for word := range strings.FieldsSeq(value) {
		if found, ok := strings.CutPrefix(word, name+"="); ok {
			return found, nil
		}
	}
	return "", errAbsent
}

// Size adds the unit to a size in bytes, and turns 0 into unlimited.
func (u use) Size() string {
	switch value := u.node.Value; {
	case value == "0":
		return "unlimited"
	case value != "" && strings.Trim(value, "0123456789") == "":
		return value + "B"
	}
	return u.node.Value
}

// Mailbox is the name of a mailbox, and no prefix of a namespace.
func (u use) Mailbox() (string, error) {
	name := u.node.Value
	if strings.HasSuffix(name, "/") || strings.HasSuffix(name, ".") {
		return "", fmt.Errorf("%s is the prefix of a namespace, and in Dovecot 2.4 it is a mailbox", name)
	}
	return quoted(name), nil
}

// Mailboxes writes a setting for a mailbox, or for all with a special use.
func (u use) Mailboxes(says string) (string, error) {
	names := []string{u.node.Value}
	if use, special := strings.CutPrefix(u.node.Value, `\`); special {
		names = nil
		for _, n := range u.all {
			if n.Opens && n.Key == "mailbox" && slices.Contains(strings.Fields(n.value("special_use")), `\`+use) {
				names = append(names, n.Name)
			}
		}
		if len(names) == 0 {
			return "", fmt.Errorf("%s is a special use, which no mailbox has: write the name of the mailbox", u.node.Value)
		}
	}
	var lines []string
	for _, name := range names {
		lines = append(lines, "mailbox "+u.filter(name)+" {", "  "+says, "}")
	}
	return strings.Join(lines, "\n"), nil
}

// Languages converts a list of languages, the first of which is the default.
func (u use) Languages() string {
	var lines []string
	for i, name := range strings.Fields(u.node.Value) {
		lines = append(lines, "language "+name+" {")
		if i == 0 {
			lines = append(lines, "  default = yes")
		}
		lines = append(lines, "}")
	}
	return strings.Join(lines, "\n")
}

// Oldest is the oldest TLS version that a list such as "!SSLv2 !SSLv3" allows.
func (u use) Oldest() string {
	versions := []string{"TLSv1", "TLSv1.1", "TLSv1.2"}
	words := strings.Fields(u.node.Value)
	for _, version := range versions {
		if slices.Contains(words, version) || strings.HasPrefix(u.node.Value, "!") && !slices.Contains(words, "!"+version) {
			return version
		}
	}
	return "TLSv1.2"
}

// List is a list, one that adds to the default if its words have signs.
func (u use) List() string {
	lines, ok := u.list(u.node.Key)
	if !ok {
		return "= " + u.node.Value
	}
	return strings.TrimPrefix(strings.Join(lines, "\n"), u.node.Key+" ")
}

// Groups converts the fields of group_by, some with a method.
func (u use) Groups() (string, error) {
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

// Environment writes a setting for each variable; one without a value keeps its own.
func (u use) Environment() string {
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

// Interval adds the unit to a time in milliseconds.
func (u use) Interval() string {
	if strings.Trim(u.node.Value, "0123456789") == "" {
		return u.node.Value + " ms"
	}
	return u.node.Value
}

// Headers writes the same settings for each header of a list.
func (u use) Headers(says ...string) string {
	var lines []string
	for name := range strings.FieldsSeq(u.node.Value) {
		var settings []string
		for _, what := range says {
			settings = append(settings, what+" = yes")
		}
		lines = append(lines, section("sieve_editheader_header "+name, settings)...)
	}
	return strings.Join(lines, "\n")
}

// Options converts the options in a value, each to a setting.
func (u use) Options(prefix string) (string, error) {
	var lines []string
	for word := range strings.FieldsSeq(u.node.Value) {
		name, value, _ := strings.Cut(word, "=")
		now := option24("fts", name)
		if now == "" {
			return "", fmt.Errorf("%s is written %s_… by hand", name, prefix)
		}
		lines = append(lines, prefix+"_"+now+" = "+value)
	}
	return strings.Join(lines, "\n"), nil
}

// Exporter converts the destination of an event exporter, by its transport.
func (u use) Exporter() (string, error) {
	key := option24("event_exporter", u.node.up.value("transport"))
	value, path := strings.CutPrefix(u.node.Value, "path=")
	if key == "" || strings.Contains(value, " ") || path && key == "http_post_url" {
		return "", errors.New("the driver has settings of its own, such as http_post_url, file_path and unix_path")
	}
	return key + " = " + value, nil
}

// Filesystems converts a chain such as "crypt:…:posix:", whose last one has the files.
func (u use) Filesystems() (string, error) {
	var lines []string
	add := func(driver string, settings ...string) {
		lines = append(lines, section("fs "+driver, settings)...)
	}
	for rest := strings.ReplaceAll(u.node.Value, " ", ":"); rest != ""; {
		driver, after, _ := strings.Cut(rest, ":")
		switch option, more, _ := strings.Cut(after, ":"); driver {
		case "posix":
			if after != "" {
				return "", fmt.Errorf("write the options of posix in mail_ext_attachment { fs posix { … } } by hand")
			}
			add("posix")
		case "sis":
			add("sis")
		case "crypt":
			if option != "" && option != "set_prefix=mail_crypt_global" {
				return "", fmt.Errorf("write the keys of crypt in mail_ext_attachment { fs crypt { … } } by hand")
			}
			add("crypt")
			after = more
		case "compress":
			level, below, _ := strings.Cut(more, ":")
			add("compress", "fs_compress_write_method = "+option, "compress_"+option+"_level = "+level)
			after = below
		default:
			return "", fmt.Errorf("write it mail_ext_attachment { fs %s { … } } by hand", driver)
		}
		rest = after
	}
	return strings.Join(lines, "\n"), nil
}

// Trash converts a file with a priority and a mailbox in each line.
func (u use) Trash() (string, error) {
	f, ok := u.external(u.node, u.node.Value)
	if !ok {
		return "", fmt.Errorf("what stands in %s, which cannot be read, is written mailbox NAME { trash_priority = … }", u.node.Value)
	}
	var lines []string
	for line := range strings.Lines(string(f.Data)) {
		priority, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && priority[0] != '#' {
			lines = append(lines, "mailbox "+u.filter(strings.TrimSpace(name))+" {", "  trash_priority = "+priority, "}")
		}
	}
	return strings.Join(lines, "\n"), nil
}
