package dovecot

import (
	"bytes"
	"strings"

	"pidgeon/finding"
)

// fault is a finding together with the lines that cause it.
type fault struct {
	finding.Finding
	path        string // of the file as Dovecot reads it
	first, last int
}

// syntax finds what keeps an override from being read as it was meant. It speaks
// as Dovecot does, which would name the first of these faults alone, and some of
// them in another file.
func syntax(texts Texts) []fault {
	var found []fault
	for i := range texts {
		if texts[i].Mine {
			found = append(found, encoding(&texts[i])...)
		}
	}
	for _, s := range texts.statements() {
		if s.text.Mine {
			found = append(found, s.syntax()...)
		}
	}
	return found
}

// encoding finds bytes that no text holds.
func encoding(text *Text) []fault {
	var found []fault
	if bytes.HasPrefix(text.Data, []byte("\ufeff")) {
		found = append(found, text.fault(1, 1, finding.ByteOrderMark,
			"the file begins with a byte-order mark, which Dovecot takes for part of the first setting's name",
			"save it as UTF-8 without a byte-order mark"))
	}
	if i := bytes.IndexByte(text.Data, 0); i >= 0 {
		line := 1 + bytes.Count(text.Data[:i], []byte("\n"))
		found = append(found, text.fault(line, line, finding.NULByte,
			"the line holds a NUL byte, at which Dovecot stops reading it",
			"this is not a text file: remove it, or save it as UTF-8"))
	}
	return found
}

func (t *Text) fault(first, last int, code finding.Code, problem, hint string) fault {
	return fault{finding.Finding{Code: code, File: t.Origin, Line: first, Problem: problem, Hint: hint}, t.Path, first, last}
}

func (s statement) syntax() []fault {
	problem, last := "", s.last
	switch {
	case s.kind == opening && s.end == 0:
		problem, last = "Missing '}'", s.text.indentedBelow(s.last)
	case s.kind == closing && len(s.scope) == 0:
		problem = "Unexpected '}'"
	case s.kind == oneLine:
		problem, last = "Garbage after '{'", max(s.last, s.end)
	case s.kind == noSetting && s.key == "":
		problem = "Missing key name ('=' at the beginning of line)"
	case s.kind == noSetting:
		problem = "Expecting '{'"
	default:
		return nil
	}
	code, hint := understand(problem, "")
	return []fault{s.text.fault(s.last, last, code, problem, hint)}
}

// indentedBelow is the last of the lines that a reader takes for the section that
// begins at a line: those indented further. Where none is, it is the whole rest.
func (t *Text) indentedBelow(line int) int {
	lines := strings.Split(string(t.Data), "\n")
	end := line
	for i := line; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) == "" || indent(lines[i]) > indent(lines[line-1]) {
			end = i + 1
			continue
		}
		break
	}
	if end == line {
		return len(lines)
	}
	if end < len(lines) && strings.TrimSpace(lines[end]) == "}" { // it closes another one, and looks as if it were ours
		end++
	}
	return end
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }
