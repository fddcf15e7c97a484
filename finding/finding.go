// Package finding is what is wrong with a configuration, in the operator's words:
// where it stands, what it is, and what to write instead.
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

// Finding is one fault, or one remark.
type Finding struct {
	Code    Code   // what kind it is
	File    string // the path that the operator knows; empty where none can be named
	Line    int    // 1-based; 0 where unknown
	Problem string // one sentence without a full stop
	Hint    string // what to write instead; may be empty
	Warning bool   // a remark: it refuses nothing
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

// Warn is a finding that refuses nothing.
func Warn(code Code, file, problem string) Finding {
	return Finding{Code: code, File: file, Problem: problem, Warning: true}
}

// Place is file:line, or what of it is known.
func (f Finding) Place() string {
	if f.File == "" || f.Line == 0 {
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
func (l List) Faults() List { return l.only(false) }

// Warnings leaves the faults out.
func (l List) Warnings() List { return l.only(true) }

func (l List) only(warnings bool) (some List) {
	for _, f := range l {
		if f.Warning == warnings {
			some = append(some, f)
		}
	}
	return some
}

// Of lists all that is wrong: the findings that an error holds, and any other error
// as a check that could not be made.
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

// Sentences are the findings one by one, without repetitions.
func (l List) Sentences() (all []string) {
	for _, f := range l {
		if sentence := f.Error(); !slices.Contains(all, sentence) {
			all = append(all, sentence)
		}
	}
	return all
}
