package upgrade

import (
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot/lint"
)

// node is a statement in the tree of its file.
type node struct {
	lint.LogicalLine
	file     config.File
	before   []string // lines without a statement
	text     []string // as written
	up       *node    // nil outside of all
	children []*node
	end      *node
	after    []string // of a whole file
}

// parse reads a file as a tree whose root is no statement. around is the section that
// includes it.
func parse(f config.File, around *node) *node {
	lines := strings.Split(string(f.Data), "\n")
	root := &node{file: f, up: around}
	open, at := []*node{root}, 0
	for words := range lint.ScanLines(f.Data) {
		in := open[len(open)-1]
		n := &node{LogicalLine: words, file: f, before: lines[at : words.First-1], text: lines[words.First-1 : words.Last], up: in}
		if in == root {
			n.up = around
		}
		at = words.Last
		switch {
		case n.Closes && len(open) > 1:
			in.end, open = n, open[:len(open)-1]
			continue
		case n.Opens:
			open = append(open, n)
		}
		in.children = append(in.children, n)
	}
	root.after = lines[at:]
	return root
}

// around is the kind of the section directly around a statement.
func (n *node) around() string {
	if n.up == nil {
		return ""
	}
	return n.up.Key
}

// place is where a value stands.
func (n *node) place() lint.ValuePlace {
	p := lint.ValuePlace{Key: n.Key}
	for up := n.up; up != nil; up = up.up {
		p.Sections = append(p.Sections, up.Key)
	}
	return p
}

// value is the value of a setting in a section.
func (n *node) value(key string) (value string) {
	for _, child := range n.children {
		if child.Setting && child.Key == key {
			value = child.Value
		}
	}
	return value
}

// whole is a statement as written, a section with its contents.
func (n *node) whole() []string {
	lines := append([]string{}, n.text...)
	for _, child := range n.children {
		lines = append(append(lines, child.before...), child.whole()...)
	}
	return append(lines, n.ends()...)
}

// ends are the lines that close a section, with those before.
func (n *node) ends() []string {
	if n.end == nil {
		return nil
	}
	return append(append([]string{}, n.end.before...), n.end.text...)
}

// indent is the space that a statement begins with.
func (n *node) indent() string {
	line := n.text[0]
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// remark is the comment at the end of a statement's line, with the space before it.
func (n *node) remark() string {
	line := strings.TrimRight(n.text[len(n.text)-1], " \t\r")
	what := n.Raw
	if n.Opens {
		what = "{"
	}
	at := strings.Index(line, what)
	if what == "" {
		at = strings.Index(line, "=")
	}
	if at < 0 {
		return ""
	}
	if rest := line[at+len(what):]; strings.HasPrefix(strings.TrimLeft(rest, " \t="), "#") {
		return " " + strings.TrimLeft(rest, " \t=")
	}
	return ""
}

// quoted is a name as it is written.
func quoted(name string) string {
	if strings.ContainsAny(name, " \t\"#{}=") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name
}
