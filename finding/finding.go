// Package finding has the type of everything that is reported about a configuration: its
// file and line, the problem, and what to write instead.
package finding

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Finding is a fault, which refuses a configuration, or a warning.
type Finding struct {
	Code    Code
	File    string // the operator's path; may be empty
	Line    int    // 1-based; 0 if unknown
	Problem string // one sentence without a full stop
	Hint    string // what to write instead; may be empty
	Warning bool
}

// Error puts a finding on one line: file:line: problem (hint). Bytes that no terminal
// should get are escaped, because names and words of files are in it.
func (f Finding) Error() string {
	parts := []string{f.Place(), f.Problem, f.Hint}
	return printable(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": "))
}

func printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if quoted := strconv.Quote(s[:size]); r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// document is a finding as JSON: scripts get the same fields in every one.
type document struct {
	Code     Code   `json:"code"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Problem  string `json:"problem"`
	Hint     string `json:"hint"`
}

// MarshalJSON writes severity as a word.
func (f Finding) MarshalJSON() ([]byte, error) {
	severity := "error"
	if f.Warning {
		severity = "warning"
	}
	return json.Marshal(document{f.Code, severity, f.File, f.Line, f.Problem, f.Hint})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Finding) UnmarshalJSON(text []byte) error {
	var d document
	err := json.Unmarshal(text, &d)
	*f = Finding{d.Code, d.File, d.Line, d.Problem, d.Hint, d.Severity == "warning"}
	return err
}

// Warn is a warning.
func Warn(code Code, file, problem, hint string) Finding {
	return Finding{Code: code, File: file, Problem: problem, Hint: hint, Warning: true}
}

// Place is file:line, or the part of it that is known.
func (f Finding) Place() string {
	if f.File == "" || f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// List is a list of findings, and an error.
type List []Finding

func (l List) Error() string {
	lines := make([]string, len(l))
	for i, f := range l {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Sorted groups the findings by file, and sorts each group by line. The files keep their
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

// Faults are the findings that are no warnings.
func (l List) Faults() List { return l.only(false) }

// Warnings are the findings that are no faults.
func (l List) Warnings() List { return l.only(true) }

func (l List) only(warnings bool) (some List) {
	for _, f := range l {
		if f.Warning == warnings {
			some = append(some, f)
		}
	}
	return some
}

// Of turns an error into findings: those of a List that it wraps, or a failed check.
func Of(err error) List {
	var list List
	switch joined, isJoined := err.(interface{ Unwrap() []error }); {
	case err == nil:
		return nil
	case isJoined:
		for _, err := range joined.Unwrap() {
			list = append(list, Of(err)...)
		}
		return list
	case errors.As(err, &list):
		return list
	}
	return List{{Code: CheckFailed, Problem: err.Error()}}
}

// Sentences are the findings as texts, without repetitions.
func (l List) Sentences() (all []string) {
	for _, f := range l {
		if sentence := f.Error(); !slices.Contains(all, sentence) {
			all = append(all, sentence)
		}
	}
	return all
}
