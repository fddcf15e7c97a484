package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"pidgeon/dovecot"
	"pidgeon/settings"
)

// origin is a variable's value and where it comes from.
type origin struct {
	Name  string `json:"variable"`
	Value string `json:"value"`
	From  string `json:"from"`
}

func (o origin) String() string { return fmt.Sprintf("%s=%s (%s)", o.Name, o.Value, o.From) }

func (e explainer) origin(v settings.Variable) origin {
	value, from := e.in.settings.Environ[v.Name], "environment"
	if path, ok := e.in.settings.Environ[v.Name+"_FILE"]; ok {
		from = "file " + path
	} else if value == "" {
		value, from = v.Default, "default"
	}
	return origin{v.Name, shown(v, value), from}
}

// attribute names the variables that lines of templates depend on. Which those
// are shows when each is given another value.
func (e explainer) attribute(chain []step) {
	if !slices.ContainsFunc(chain, func(s step) bool { return !s.Mine }) {
		return
	}
	for _, v := range settings.Variables() {
		for _, other := range e.others(v) {
			for i, s := range chain {
				if !s.Mine && e.changes(s.Line, other) && !slices.ContainsFunc(s.Variables, func(o origin) bool { return o.Name == v.Name }) {
					chain[i].Variables = append(s.Variables, e.origin(v))
				}
			}
		}
	}
}

// changes tells whether a line is another one, or gone.
func (e explainer) changes(l dovecot.Line, other rendering) bool {
	now, ok := other.lines[key{l.File, l.Setting}]
	return !ok || now != e.shown(l.Value)
}

// key is what a line is compared by: line numbers move.
type key struct{ file, setting string }

// rendering is what the configuration would be with another value of a variable.
type rendering struct {
	value string
	lines map[key]string
}

// maxOthers bounds how many values of a variable are tried: mode auto is the
// same as one of the others, and of the protocols each has lines of its own.
const maxOthers = 3

// others renders with other values of a variable that make sense.
func (e explainer) others(v settings.Variable) []rendering {
	if all, ok := e.tried[v.Name]; ok {
		return all
	}
	all, now := []rendering{}, e.comparable(e.lines)
	defer func() { e.tried[v.Name] = all }()
	for _, value := range alternatives(v, e.in.settings.Environ[v.Name]) {
		s, err := settings.Load(append(withoutVariable(e.environ, v), v.Name+"="+value))
		if err != nil || len(all) == maxOthers {
			continue
		}
		in := e.in
		in.settings = s
		if c, err := e.build(in, e.dir); err == nil {
			all = append(all, rendering{value, e.comparable(textsOf(c.files, e.dir).Lines())})
			if v.Name != "PROTOCOLS" && !maps.Equal(now, all[len(all)-1].lines) {
				return all
			}
		}
	}
	return all
}

func withoutVariable(environ []string, v settings.Variable) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == v.Name || name == v.Name+"_FILE"
	})
}

// comparable makes lines of several generations comparable.
func (e explainer) comparable(lines []dovecot.Line) map[key]string {
	all := byKey(lines)
	for k, value := range all {
		all[k] = e.shown(value)
	}
	return all
}

func byKey(lines []dovecot.Line) map[key]string {
	all := map[key]string{}
	for _, l := range lines {
		all[key{l.File, l.Setting}] = l.Value
	}
	return all
}

// alternatives are values to try in the place of the present one. Those that the
// variable does not take are found out when they are loaded.
func alternatives(v settings.Variable, current string) []string {
	if current == "" {
		current = v.Default
	}
	candidates := v.Choices()
	if n, err := strconv.Atoi(current); err == nil {
		candidates = append(candidates, strconv.Itoa(2*n+1), strconv.Itoa(n+1))
	}
	candidates = append(candidates, "performance", "secure", "imap", "imap,pop3,lmtp,sieve", "lmtp", v.Example, current+"-other", "other.example.com", "127.0.0.1", "1", "other:secret", "9s", "-")
	return slices.DeleteFunc(candidates, func(c string) bool { return c == current || c == "" })
}

// change is a line that depends on a variable.
type change struct {
	dovecot.Line
	Otherwise     string `json:"otherwise"` // its value in the example
	OverwrittenBy string `json:"overwritten_by,omitempty"`
}

// explainVariable tells what a variable is, and what it does.
func (c command) explainVariable(e explainer, v settings.Variable, asJSON bool) int {
	value, changed := e.changedBy(v)
	if asJSON {
		if err := writeJSON(c.stdout, map[string]any{"variable": e.origin(v), "meaning": v.Doc, "example": value, "lines": changed}); err != nil {
			return c.complain(err)
		}
		return 0
	}
	fmt.Fprintf(c.stdout, "%s\n  %s\n", e.origin(v), v.Doc)
	if len(changed) == 0 {
		fmt.Fprintln(c.stdout, "  no line of Dovecot's configuration depends on it")
		return 0
	}
	fmt.Fprintf(c.stdout, "  sets these lines; the value with %s=%s in brackets\n", v.Name, shown(v, value))
	for _, l := range changed {
		fmt.Fprintf(c.stdout, "    %s:%d: %s = %s [%s]\n", l.File, l.Line.Line, l.Setting, e.shown(l.Value), e.shown(l.Otherwise))
		if l.OverwrittenBy != "" {
			fmt.Fprintf(c.stdout, "      overwritten by %s\n", l.OverwrittenBy)
		}
	}
	return 0
}

// changedBy are the lines that another value of a variable changes.
func (e explainer) changedBy(v settings.Variable) (value string, changed []change) {
	for _, other := range e.others(v) {
		for _, l := range e.lines {
			if !e.changes(l, other) {
				continue
			}
			otherwise, ok := other.lines[key{l.File, l.Setting}]
			if !ok {
				otherwise = "not set"
			}
			changed = append(changed, change{l, otherwise, e.overwrittenBy(l)})
		}
		if len(changed) > 0 {
			return other.value, changed
		}
	}
	return "", []change{}
}

func (e explainer) overwrittenBy(l dovecot.Line) string {
	for _, later := range slices.Backward(e.lines) {
		if later.Setting != l.Setting {
			continue
		}
		if later == l {
			return ""
		}
		return fmt.Sprintf("%s:%d: %s", later.File, later.Line, later.Value)
	}
	return ""
}

// nearVariable is the variable that was probably meant.
func nearVariable(name string) string {
	for _, v := range settings.Variables() {
		if levenshtein.ComputeDistance(strings.ToUpper(name), v.Name) <= 2 {
			return v.Name
		}
	}
	return ""
}
