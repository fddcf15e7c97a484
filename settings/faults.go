package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Fault is one thing wrong in the environment.
type Fault struct {
	Variable string
	Problem  string // completes "VARIABLE …"
	Hint     string // what to write instead
}

func (f Fault) Error() string {
	return fmt.Sprintf("%s %s: %s", f.Variable, f.Problem, f.Hint)
}

// Faults are all of them at once.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// add records that a variable's value is wrong; without a hint the variable's
// example is given.
func (f *Faults) add(v Variable, value, problem, hint string) {
	if hint == "" {
		hint = fmt.Sprintf("write for example %s=%s", v.Name, v.Example)
	}
	if value != "" && !v.Secret {
		problem = fmt.Sprintf("is %q, which %s", shortened(value), problem)
	}
	*f = append(*f, Fault{v.Name, problem, hint})
}

func shortened(value string) string {
	if len(value) <= 60 {
		return value
	}
	return value[:57] + "…"
}

func (f Faults) sorted() Faults {
	order := map[string]int{}
	for i, v := range Variables() {
		order[v.Name], order[v.Name+"_FILE"] = i, i
	}
	slices.SortStableFunc(f, func(a, b Fault) int { return cmp.Compare(order[a.Variable], order[b.Variable]) })
	return f
}

// misspelt finds names that are nearly ours. A variable that silently does
// nothing is how a limit stays where it was.
func misspelt(environ map[string]string) Faults {
	known := map[string]bool{}
	for _, v := range Variables() {
		known[v.Name], known[v.Name+"_FILE"] = true, true
	}
	var faults Faults
	for name, value := range environ {
		if known[name] || foreign(name) || serviceLink(value) {
			continue
		}
		if near := nearest(name, known); near != "" {
			faults = append(faults, Fault{name, "is not a variable of pidgeon", "did you mean " + near + "?"})
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Variable, b.Variable) })
	return faults
}

// foreign names are set by shells and engines and only look like ours.
func foreign(name string) bool {
	switch name {
	case "USER", "MAIL", "MAILDIR", "LOGNAME", "TERM", "TZ", "HOSTNAME":
		return true
	}
	return false
}

// nearest returns the known name that name was probably meant to be, or "". A
// long name may be two letters off, a short one (TLS, USERS) a single one; the
// first letter is nobody's slip, and tells SMTP_PORT from LMTP_PORT.
func nearest(name string, known map[string]bool) string {
	best, nearest := 3, ""
	for candidate := range known {
		allowed := 1
		if len(candidate) > 6 {
			allowed = 2
		}
		d := levenshtein.ComputeDistance(strings.ToUpper(name), candidate)
		if name[0]&^0x20 == candidate[0] && d <= allowed && (d < best || d == best && candidate < nearest) {
			best, nearest = d, candidate
		}
	}
	return nearest
}
