package render

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"pidgeon/sizing"
)

// Attribute returns the fields of Data that each rendered line depends on, by the Origins of
// the files: those in the actions that write the line, and in the conditions around it. A
// field is a path such as Settings.TLS. It renders copies of the templates in which each
// action writes its fields before its output.
func Attribute(in Input) (map[string][][]string, error) {
	in.marked = true
	files, err := Render(in)
	all := map[string][][]string{}
	for _, f := range files {
		lines, fields := [][]string{nil}, ""
		for i, text := range strings.Split(string(f.Data), "\x00") {
			if i%2 == 1 {
				fields = text
				continue
			}
			for j, line := range strings.Split(text, "\n") {
				if j > 0 {
					lines = append(lines, nil)
				}
				// An action without output counts for the line that it is in.
				if blank := strings.TrimSpace(text) == ""; j == 0 && blank || strings.TrimSpace(line) != "" {
					lines[len(lines)-1] = union(lines[len(lines)-1], strings.Fields(fields))
				}
			}
		}
		all[f.Origin] = lines
	}
	return all, err
}

// mark encloses fields in what no environment variable holds. A dot that is a service
// tells which of all of them.
func mark(fields string, dot any) string {
	if service, ok := dot.(sizing.Service); ok {
		fields = strings.ReplaceAll(fields, "Sizes.Services", "Sizes.Service."+service.Name)
	}
	return "\x00" + fields + "\x00"
}

func union(sets ...[]string) []string {
	all := slices.Concat(sets...)
	slices.Sort(all)
	return slices.Compact(all)
}

// scope has, for a place in a template, the fields of Data behind the dot and the variables,
// and those that decide whether the place is reached.
type scope struct {
	set          *template.Template
	dot, decides []string
	vars         map[string]*[]string
	left         *[]string         // decides whether the round of a range ends early
	copies       map[string]string // of the templates around it
}

// withMarks copies a template, and those that it uses, and puts marks into the copies.
func withMarks(set *template.Template, name string) string {
	set.Funcs(template.FuncMap{"mark": mark})
	return scope{set: set, dot: []string{""}, left: &[]string{}, copies: map[string]string{}}.copied(name)
}

// copied is the name of a template's copy for one caller.
func (s scope) copied(name string) string {
	original, again := s.set.Lookup(name), s.copies[name]
	if original == nil || again != "" {
		return cmp.Or(again, name)
	}
	again = fmt.Sprintf("%s (%d)", name, len(s.set.Templates()))
	s.vars, s.copies = map[string]*[]string{"$": &s.dot}, maps.Clone(s.copies)
	s.copies[name] = again
	tree := original.Tree.Copy()
	s.addMarks(tree.Root)
	template.Must(s.set.AddParseTree(again, tree))
	return again
}

func (s scope) addMarks(list *parse.ListNode) {
	if list == nil {
		return
	}
	s.vars = maps.Clone(s.vars)
	var marked []parse.Node
	for _, n := range list.Nodes {
		if fields, writes := s.node(n); writes {
			call := fmt.Sprintf("{{mark %q .}}", strings.Join(union(fields, *s.left), " "))
			marked = append(marked, template.Must(template.New("").Funcs(template.FuncMap{"mark": mark}).Parse(call)).Root.Nodes[0])
		}
		marked = append(marked, n)
	}
	list.Nodes = marked
}

// node returns the fields that a node depends on, if it writes something.
func (s scope) node(n parse.Node) (fields []string, writes bool) {
	switch n := n.(type) {
	case *parse.TextNode:
		return s.decides, strings.TrimSpace(string(n.Text)) != ""
	case *parse.ActionNode:
		fields = s.fields(n.Pipe)
		s.declare(n.Pipe, fields)
		return union(s.decides, fields), len(n.Pipe.Decl) == 0
	case *parse.TemplateNode:
		var dot []string
		if n.Pipe != nil {
			dot = s.fields(n.Pipe)
			s.declare(n.Pipe, dot)
		}
		s.dot = dot
		n.Name = s.copied(n.Name)
	case *parse.IfNode:
		return s.branch(&n.BranchNode)
	case *parse.WithNode:
		return s.branch(&n.BranchNode)
	case *parse.RangeNode:
		return s.branch(&n.BranchNode)
	case *parse.BreakNode, *parse.ContinueNode:
		*s.left = union(*s.left, s.decides)
	}
	return nil, false
}

// branch marks the output of a condition. Output without a line end is a part of a line,
// which depends on the condition even if nothing is written.
func (s scope) branch(b *parse.BranchNode) (fields []string, writes bool) {
	from, lineEnd := s.fields(b.Pipe), strings.Contains(b.String(), "\n")
	s.vars = maps.Clone(s.vars)
	s.declare(b.Pipe, from)
	s.decides = union(s.decides, slices.DeleteFunc(slices.Clone(from), isStruct))
	s.addMarks(b.ElseList)
	if b.NodeType != parse.NodeIf {
		s.dot = from
	}
	if b.NodeType == parse.NodeRange {
		left := slices.Clone(*s.left)
		s.left = &left
		s.addMarks(b.List.CopyList()) // what one round assigns, the next one reads
	}
	s.addMarks(b.List)
	return s.decides, !lineEnd && strings.Contains(b.String(), "{{mark ")
}

// isStruct reports whether a field is a struct, which is always true in a condition.
func isStruct(field string) bool { return field == "" || field == "Settings" || field == "Sizes" }

func (s scope) declare(pipe *parse.PipeNode, from []string) {
	for _, v := range pipe.Decl {
		if name := v.Ident[0]; pipe.IsAssign {
			*s.vars[name] = union(*s.vars[name], from, s.decides)
		} else {
			s.vars[name] = &from
		}
	}
}

// fields are the fields that a value is made of, for a function those of all arguments. The
// first text in get .Env "NAME", env "NAME" or .Sizes.Service "auth" is a part of the path.
func (s scope) fields(n parse.Node) (all []string) {
	switch n := n.(type) {
	case *parse.DotNode:
		return s.dot
	case *parse.FieldNode:
		return below(s.dot, n.Ident)
	case *parse.VariableNode:
		return below(*s.vars[n.Ident[0]], n.Ident[1:])
	case *parse.ChainNode:
		return below(s.fields(n.Node), n.Field)
	case *parse.IdentifierNode:
		if n.Ident == "env" {
			return []string{"Env"}
		}
	case *parse.CommandNode:
		which := ""
		for _, arg := range n.Args {
			all = union(all, s.fields(arg))
			if text, ok := arg.(*parse.StringNode); ok {
				which = cmp.Or(which, "."+text.Text)
			}
		}
		for i, field := range all {
			if field == "Env" || field == "Sizes.Service" {
				all[i] += which
			}
		}
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			all = union(all, s.fields(command))
		}
	}
	return all
}

func below(fields, names []string) (all []string) {
	for _, field := range fields {
		all = append(all, strings.Trim(field+"."+strings.Join(names, "."), "."))
	}
	return all
}
