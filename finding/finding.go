// Package finding is what is wrong with a configuration, in the operator's words:
// where it stands, what it is, and what to write instead.
package finding

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Finding is one fault, or one remark.
type Finding struct {
	Code    Code   // what kind it is
	File    string // the path that the operator knows; empty where none can be named
	Line    int    // 1-based; 0 where unknown
	Problem string // one sentence without a full stop
	Hint    string // what to write instead; may be empty
	Warning bool   // a remark: it refuses nothing
}

// Error puts a finding on one line: file:line: problem (hint).
func (f Finding) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.Place() + ": ")
	}
	b.WriteString(f.Problem)
	if f.Hint != "" {
		b.WriteString(": " + f.Hint)
	}
	return b.String()
}

// MarshalJSON gives scripts the same fields in every finding.
func (f Finding) MarshalJSON() ([]byte, error) {
	severity := "error"
	if f.Warning {
		severity = "warning"
	}
	return json.Marshal(struct {
		Code     Code   `json:"code"`
		Severity string `json:"severity"`
		File     string `json:"file"`
		Line     int    `json:"line"`
		Problem  string `json:"problem"`
		Hint     string `json:"hint"`
	}{f.Code, severity, f.File, f.Line, f.Problem, f.Hint})
}

// Place is file:line, or what of it is known.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// List is everything found, as an error.
type List []Finding

func (l List) Error() string {
	lines := make([]string, len(l))
	for i, f := range l {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Sorted puts what belongs to one file together, by lines. The files keep their
// order.
func (l List) Sorted() List {
	order := map[string]int{"": len(l)}
	for i, f := range l {
		if _, known := order[f.File]; !known {
			order[f.File] = i
		}
	}
	slices.SortStableFunc(l, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line))
	})
	return l
}

// Faults leaves the remarks out.
func (l List) Faults() List {
	var faults List
	for _, f := range l {
		if !f.Warning {
			faults = append(faults, f)
		}
	}
	return faults
}

// Warnings leaves the faults out.
func (l List) Warnings() List {
	var warnings List
	for _, f := range l {
		if f.Warning {
			warnings = append(warnings, f)
		}
	}
	return warnings
}
