// Package upgrade converts a configuration for Dovecot 2.3 to 2.4 line by line, by the table
// that package lint has its hints from (lint/dialects.txt). Comments and order stay. A line
// that cannot be converted becomes a comment and a finding.
package upgrade

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// Result is the result of an upgrade.
type Result struct {
	Files          config.Files    // the configuration for 2.4, without MergedFiles
	NotCarriedOver finding.List    // lines that were not converted
	Differences    finding.List    // warnings of lines that have a slightly different effect
	TooLarge       bool            // nothing was converted
	left           map[string]bool // origins of files with lines that were not converted
	CarriedOver    map[string]int  // numbers of converted settings and sections, by their file's origin
	MergedFiles    []string        // the paths of files that were merged into others
	OtherFiles     config.Files    // all other files of the directory
}

// FullyCarriedOver reports whether all of a file was carried over.
func (r Result) FullyCarriedOver(f config.File) bool { return !r.left[f.Origin] }

// version is the oldest version of the format, which every 2.4 from Debian 13 on accepts.
const version = "2.4.0"

type converter struct {
	Result
	files      config.Files
	elsewhere  func(path string) []byte
	whole      bool
	seen       map[string]bool  // files by their names
	names      map[string]bool  // of sections that got one
	plugin     map[string]*node // what plugin { } sets, of all files
	written    map[string]bool  // what is said once for several settings
	all        []*node
	actions    []string // of templates
	statements int
}

// Convert upgrades the files that roots name, and those files that they include. elsewhere
// reads other files that they name, and returns nil if there is none. whole means that the
// configuration is complete, and no override.
func Convert(files config.Files, roots []string, whole bool, elsewhere func(path string) []byte) Result {
	c := converter{files: files, elsewhere: elsewhere, whole: whole, seen: map[string]bool{}, names: map[string]bool{}, plugin: map[string]*node{}, written: map[string]bool{}}
	c.CarriedOver, c.left = map[string]int{}, map[string]bool{}
	c.files = slices.Clone(files)
	for i, f := range files {
		c.files[i] = c.mask(f)
	}
	for _, root := range roots {
		c.survey(root)
	}
	if c.TooLarge {
		return Result{TooLarge: true}
	}
	c.seen = map[string]bool{}
	for _, root := range roots {
		c.file(root, nil)
	}
	return c.Result
}

// Limits of a configuration; the largest published ones have some 500 statements. Without
// them a file could make each reading take minutes.
const (
	maxStatements = 2000
	maxNesting    = 16
)

// fits reports whether a file, with those before, is within the limits.
func (c *converter) fits(data []byte) bool {
	depth := 0
	for words := range lint.ScanLines(data) {
		switch c.statements++; {
		case words.Opens:
			depth++
		case words.Closes:
			depth--
		}
		if c.statements > maxStatements || depth > maxNesting {
			return false
		}
	}
	return true
}

// survey collects the facts about all files that a conversion of the first one needs.
func (c *converter) survey(name string) {
	i := slices.IndexFunc(c.files, func(f config.File) bool { return f.Name == name })
	if i < 0 || c.seen[name] {
		return
	}
	c.seen[name] = true
	if c.TooLarge = c.TooLarge || !c.fits(c.files[i].Data); c.TooLarge {
		return
	}
	var visit func(nodes []*node)
	visit = func(nodes []*node) {
		for _, n := range nodes {
			switch {
			case n.Setting && n.around() == "plugin":
				c.plugin[n.Key] = n
			case n.Opens && n.Name != "":
				c.names[n.Key+"/"+n.Name] = true
			case n.Includes:
				for _, included := range c.included(n) {
					c.survey(included)
				}
			}
			c.all = append(c.all, n)
			visit(n.children)
		}
	}
	visit(parse(c.files[i], nil).children)
}

// file converts one file; around is the section that includes it.
func (c *converter) file(name string, around *node) {
	i := slices.IndexFunc(c.files, func(f config.File) bool { return f.Name == name })
	if i < 0 || c.seen[name] {
		return
	}
	c.seen[name] = true
	f := c.files[i]
	place, left := len(c.Files), len(c.NotCarriedOver)
	c.Files = append(c.Files, f)
	root := parse(f, around)
	lines := append(c.block(root.children), root.after...)
	if c.whole && place == 0 && !slices.ContainsFunc(root.children, func(n *node) bool { return n.Key == "dovecot_config_version" }) {
		lines = slices.Concat([]string{"dovecot_config_version = " + version, "dovecot_storage_version = " + version}, c.defaults(), lines)
	}
	at := 1
	for i, line := range lines {
		text, number, marked := strings.Cut(line, mark)
		if marked {
			at, _ = strconv.Atoi(number)
		}
		lines[i] = c.unmask(text)
		c.Files[place].Lines = append(c.Files[place].Lines, at)
	}
	c.Files[place].Data = []byte(strings.Join(lines, "\n"))
	c.left[f.Origin] = len(c.NotCarriedOver) > left
}

// defaults are settings that 2.3 has by default and 2.4 has not: the place of users' Sieve
// scripts.
func (c *converter) defaults() []string {
	sieve, said := false, c.plugin["sieve"] != nil || c.plugin["sieve_dir"] != nil
	for _, n := range c.all {
		uses := n.Setting && (n.Key == "mail_plugins" || n.Key == "protocols")
		sieve = sieve || uses && slices.Contains(lint.ListItems(n.Value), "sieve")
		said = said || n.Key == "sieve_script"
	}
	if !sieve || said {
		return nil
	}
	return []string{"sieve_script personal {", "  path = ~/sieve", "  active_path = ~/.dovecot.sieve", "}"}
}

// included are the files that a line includes. An absolute path matches files by its end,
// because a configuration may be converted in another directory than it is used in.
func (c *converter) included(n *node) (names []string) {
	for _, f := range c.files {
		if matches(n.Value, path.Dir(n.file.Name), f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

func matches(pattern, dir, name string) bool {
	if !path.IsAbs(pattern) {
		ok, _ := path.Match(path.Join(dir, pattern), name)
		return ok
	}
	for rest, more := pattern, true; more; {
		if _, rest, more = strings.Cut(rest, "/"); more || rest != "" {
			if ok, _ := path.Match(rest, name); ok {
				return true
			}
		}
	}
	return false
}

// external reads a file that a setting names, such as that of a database, whose contents come
// in the place of its name.
func (c *converter) external(from *node, name string) (f config.File, ok bool) {
	f, ok = c.beside(from, name)
	if ok = ok && c.fits(f.Data); ok {
		c.MergedFiles = append(c.MergedFiles, f.Name)
	}
	return f, ok
}

// beside reads a file that a setting names, of any size.
func (c *converter) beside(from *node, name string) (f config.File, ok bool) {
	for _, f := range c.files {
		if matches(name, path.Dir(from.file.Name), f.Name) {
			return f, true
		}
	}
	data := c.elsewhere(name)
	return config.File{Name: name, Origin: name, Data: data}, data != nil
}

// block converts the statements of a file or a section. Those of plugin { } move out of it.
func (c *converter) block(nodes []*node) (out []string) {
	for _, n := range nodes {
		left := len(c.NotCarriedOver)
		lines, err := c.lines(n)
		if err != nil && n.Setting && n.Value == "" && !n.FromFile {
			lines, err = nil, nil
		}
		if err == nil && n.Setting && len(lines) > 0 {
			err = kept(n, lines)
		}
		if same(n, lines) {
			lines = n.text
		}
		switch changed := !slices.Equal(lines, n.text); {
		case err != nil:
			lines = c.leave(n, err.Error())
		case !n.Opens && changed && len(c.NotCarriedOver) == left, n.Opens && n.Key != "plugin" && (len(lines) == 0 || lines[0] != n.text[0]):
			c.CarriedOver[n.file.Origin]++
		}
		lines = slices.Clone(lines)
		for i, line := range lines {
			if !strings.Contains(line, mark) {
				lines[i] = line + mark + strconv.Itoa(n.Last)
			}
		}
		lines = slices.Concat(n.before, lines)
		if n.around() == "plugin" {
			lines = moved(lines, n.indent(), n.up.indent())
		}
		out = append(out, lines...)
	}
	return out
}

// same reports whether a line differs from a statement in its blanks alone.
func same(n *node, lines []string) bool {
	for words := range lint.ScanLines([]byte(strings.Join(lines, "\n"))) {
		words.First, words.Last = n.First, n.Last
		return len(lines) == 1 && n.Setting && words == n.LogicalLine
	}
	return false
}

// mark parts a line from the number of the one that it comes from, while a file is put
// together.
const mark = "\x00 line "

// moved replaces the indent of lines.
func moved(lines []string, from, to string) []string {
	out := slices.Clone(lines)
	for i, line := range out {
		if rest, ok := strings.CutPrefix(line, from); ok {
			out[i] = to + rest
		}
	}
	return out
}

func (c *converter) lines(n *node) ([]string, error) {
	switch {
	case n.Opens:
		return c.section(n)
	case n.Includes:
		for _, name := range c.included(n) {
			c.file(name, n.up)
		}
	case n.Setting:
		return c.setting(n)
	}
	return n.text, nil
}

// leave reports a statement that cannot be converted, and keeps it as a comment.
func (c *converter) leave(n *node, why string) []string {
	what := n.Key
	if n.Opens {
		what = strings.Join(strings.Fields(n.Key+" "+n.Name+" { }"), " ")
	}
	lines := []string{n.indent() + c.note(n, what, why)}
	for _, line := range n.whole() {
		lines = append(lines, n.indent()+strings.TrimRight("# "+strings.TrimPrefix(line, n.indent()), " "))
	}
	return lines
}

// note reports what cannot be converted, and returns a comment that says so.
func (c *converter) note(n *node, what, why string) string {
	c.NotCarriedOver = append(c.NotCarriedOver, finding.Finding{Code: finding.OtherDialect, File: n.file.Origin, Line: n.Last, Problem: what + " cannot be carried over to Dovecot 2.4", Hint: why})
	return "# pidgeon upgrade: " + what + " cannot be carried over: " + why
}

func (c *converter) section(n *node) ([]string, error) {
	kind := n.Key
	if why, needless := c.gone(n); why != "" {
		if needless {
			return nil, nil
		}
		return nil, errors.New(why)
	}
	switch {
	case kind == "plugin" && n.up == nil || kind == "plugin" && n.Name == "":
		lines := c.block(n.children)
		if n.end != nil {
			lines = append(lines, moved(n.end.before, n.end.indent()+"  ", n.indent())...)
		}
		return lines, nil
	case kind == "dict" && n.Name == "" && n.up == nil:
		return c.dicts(n)
	case kind == "passdb" && n.value("driver") == "oauth2": // its mechanisms need no passdb
		i := slices.IndexFunc(n.children, func(child *node) bool { return child.Key == "args" })
		if i < 0 {
			return nil, errors.New("its args name no file")
		}
		lines := append([]string{n.indent() + "oauth2 {" + n.remark()}, c.block(n.children[i:i+1])...)
		return append(lines, n.ends()...), nil
	case kind == "local_name" && strings.Contains(n.Name, " "):
		var all []string
		for _, name := range strings.Fields(n.Name) {
			all = append(all, c.within(n, "local_name "+name+" {")...)
		}
		return all, nil
	case n.Name == "" && (slices.Contains(lint.TableList("named"), kind) || kind == "inet_listener"):
		lines := c.within(n, kind+" "+quoted(c.name(n))+" {")
		if kind == "passdb" && n.up == nil && !c.written["weak schemes"] && c.weakly(n) {
			c.written["weak schemes"] = true
			lines = append([]string{n.indent() + "auth_allow_weak_schemes = yes"}, lines...)
		}
		return lines, nil
	}
	return append(append(slices.Clone(n.text), c.block(n.children)...), n.ends()...), nil
}

// within converts a section with another first line.
func (c *converter) within(n *node, opening string) []string {
	lines := []string{n.indent() + opening + n.remark()}
	return append(append(lines, c.block(n.children)...), n.ends()...)
}

// gone says why 2.4 has no such section. It is needless if it matters only with a setting
// that nothing sets.
func (c *converter) gone(n *node) (why string, needless bool) {
	name := n.Name
	if n.Key == "passdb" || n.Key == "userdb" {
		name = n.value("driver")
	}
	row := lint.TableRow("gone", n.Key+"/"+name)
	if row == nil {
		return "", false
	}
	set := slices.ContainsFunc(c.all, func(n *node) bool { return n.Setting && n.Key == row[2] && n.Value != "" })
	return row[1], row[2] != "" && !set
}

// name makes a name for an unnamed section: its driver or purpose, with a number if that name
// is taken.
func (c *converter) name(n *node) string {
	name := n.value("driver")
	switch {
	case n.Key == "namespace" && n.value("inbox") == "yes":
		name = "inbox"
	case n.Key == "namespace":
		name = strings.Trim(n.value("prefix"), "/.")
		if i := strings.IndexAny(name, "%/. "); i >= 0 || name == "" {
			name = n.value("type")
		}
	case n.Key == "inet_listener" && n.up != nil:
		name = n.up.Name
	}
	if name == "" {
		name = "main"
	}
	unique := name
	for i := 2; c.names[n.Key+"/"+unique]; i++ {
		unique = fmt.Sprint(name, i)
	}
	c.names[n.Key+"/"+unique] = true
	return unique
}

func (c *converter) setting(n *node) ([]string, error) {
	row := rowFor(n.around(), n.Key)
	if n.FromFile && (row != nil && row[3] != "" && !strings.Contains(row[3], "{{.File}}") || n.Key == "mail_plugins" || n.Key == "imap_acl_allow_anyone") { // doveconf 2.4.1 reads no list and no boolean from a file
		f, ok := c.external(n, n.Value)
		if !ok {
			return nil, fmt.Errorf("its value stands in %s, which cannot be read: put it beside the configuration", n.Value)
		}
		inline := *n
		inline.Value = strings.TrimSpace(string(f.Data))
		inline.Raw, inline.FromFile = inline.Value, false
		inline.text = []string{n.indent() + n.Key + " = " + inline.Value}
		n = &inline
	}
	u := use{converter: c, node: n, raw: n.Raw}
	spec := ""
	if own := lint.TableRow("structures", n.Key, n.around()+"/"+n.Key); own != nil { // of one that keeps its name
		spec = own[1]
	} else if row != nil {
		spec = row[3]
	}
	if err := opaque(n, spec); err != nil {
		return nil, err
	}
	if n.Value == "" && !n.FromFile && strings.Contains(spec, " { ") { // it says nothing
		return nil, nil
	}
	switch {
	case spec != "" && spec != "-":
		lines, err := u.expand(spec)
		return indented(c.ofRoot(n, lines), n.indent(), n.remark()), err
	case row == nil && n.around() == "plugin" && lint.Replacement("plugin", strings.Split(n.Key, "_")[0]) != "":
		return nil, errors.New(lint.Replacement("plugin", strings.Split(n.Key, "_")[0]))
	case row == nil && n.around() == "plugin" && !slices.Contains(lint.TableList("same in plugin"), n.Key):
		return nil, errors.New("ask the plugin's documentation what it is in Dovecot 2.4, where plugin { } is gone")
	case row == nil:
		return c.plain(u, n.Key)
	case spec == "-":
		return nil, nil
	case row[2] == "" && row[1] != "-" && !strings.Contains(row[1], ","):
		_, leaf, inSection := strings.Cut(row[1], "/")
		if !inSection {
			leaf = row[1]
		}
		return c.plain(u, leaf)
	}
	return nil, errors.New(row[2])
}

// Global is the value of a global setting, empty if it has none.
func (c *converter) Global(key string) (value string) {
	for _, n := range c.all {
		if n.Setting && n.up == nil && n.Key == key {
			value = n.Value
		}
	}
	return value
}

// plain writes a setting under a name, with its value converted.
func (c *converter) plain(u use, key string) ([]string, error) {
	n := u.node
	switch value, list, err := u.plainValue(); {
	case err != nil:
		return nil, err
	case list != nil:
		return indented(list, n.indent(), n.remark()), nil
	case value == n.Raw && key == n.Key:
		return n.text, nil
	default:
		return []string{strings.TrimRight(n.indent()+key+" = "+value, " ") + n.remark()}, nil
	}
}

// rowFor finds the row of a setting of 2.3, by its name alone or with its section; numbered
// settings of plugin { } have one row.
func rowFor(around, key string) []string {
	if around == "plugin" {
		quota := rootNumber.ReplaceAllString(key, "quota_")
		return lint.TableRow("settings", "plugin/"+key, "plugin/"+lint.PluginSettingFamily(key), "plugin/"+lint.PluginSettingFamily(quota))
	}
	return lint.TableRow("settings", key, around+"/"+key)
}

// rootNumber matches the prefix of settings of a second or later quota.
var rootNumber = lazyregexp.New(`^quota\d+_`)

func indented(lines []string, indent, remark string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = indent + line
	}
	if len(out) > 0 {
		out[len(out)-1] += remark
	}
	return out
}
