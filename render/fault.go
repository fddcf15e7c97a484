package render

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/finding"
)

// templateError is how text/template words its errors: where, then, when it was
// executing, what; then the problem.
var templateError = regexp.MustCompile(`^template: ([^:]*):(\d+):(?:\d+:)?\s+(?:executing "[^"]*" at <(?:.*?)>: )?(?s:(.*))$`)

// templateFinding names the file and line of an error. A template may use the
// definitions of another one, so the file is that of the template the error
// names; places gives its path, file is where none is known.
func templateFinding(err error, file string, places map[string]config.File) finding.Finding {
	if errors.Is(err, errTooLong) {
		return finding.Finding{Code: finding.TemplateError, File: file, Problem: errTooLong.Error(), Hint: "look for a loop that does not end"}
	}
	m := templateError.FindStringSubmatch(err.Error())
	if m == nil {
		return finding.Finding{Code: finding.TemplateError, File: file, Problem: err.Error()}
	}
	if source, ok := places[m[1]]; ok {
		file = source.Origin
	}
	line, _ := strconv.Atoi(m[2])
	return finding.Finding{Code: finding.TemplateError, File: file, Line: line, Problem: m[3], Hint: hint(m[3])}
}

func hint(problem string) string {
	switch {
	case strings.Contains(problem, "map has no entry for key"):
		return `set the variable, or write {{ get .Env "NAME" | default "…" }}`
	case strings.Contains(problem, "not defined"):
		return "the functions are those of sprig that give the same result each time, and value"
	}
	return ""
}
