package lint

import (
	"bytes"

	"pidgeon/finding"
)

// syntax finds what keeps an override from being read as it was meant. It speaks
// as Dovecot does, which would name the first of these faults alone, and some of
// them in another file.
func (c *Config) syntax() finding.List { return append(c.encoding(), c.each(unreadable)...) }

// encoding finds bytes in overrides that no text holds.
func (c *Config) encoding() finding.List {
	var found finding.List
	for _, f := range c.files {
		if !f.Override {
			continue
		}
		if bytes.HasPrefix(f.Data, []byte("\ufeff")) {
			found = append(found, finding.Finding{
				Code: finding.ByteOrderMark, File: f.Origin, Line: 1,
				Problem: "the file begins with a byte-order mark, which Dovecot takes for part of the first setting's name",
				Hint:    "save it as UTF-8 without a byte-order mark",
			})
		}
		if i := bytes.IndexByte(f.Data, 0); i >= 0 {
			found = append(found, finding.Finding{
				Code: finding.NULByte, File: f.Origin, Line: 1 + bytes.Count(f.Data[:i], []byte("\n")),
				Problem: "the line holds a NUL byte, at which Dovecot stops reading it",
				Hint:    "this is not a text file: remove it, or save it as UTF-8",
			})
		}
	}
	return found
}

func unreadable(s *statement) (f finding.Finding) {
	problem := ""
	switch {
	case s.kind == opening && s.end == 0:
		problem = "Missing '}'"
	case s.kind == closing && s.in == nil:
		problem = "Unexpected '}'"
	case s.kind == oneLine:
		problem = "Garbage after '{'"
	case s.kind == noSetting && s.key == "":
		problem = "Missing key name ('=' at the beginning of line)"
	case s.kind == noSetting:
		problem = "Expecting '{'"
	default:
		return f
	}
	code, hint := understand(problem)
	return s.fault(code, problem, hint)
}

// indentedBelow is the last of the lines that a reader takes for the section that
// begins at a line: those indented further. Where none is, it is the whole rest.
func indentedBelow(lines [][]byte, line int) int {
	end := line
	for end < len(lines) && (len(bytes.TrimSpace(lines[end])) == 0 || indent(lines[end]) > indent(lines[line-1])) {
		end++
	}
	if end == line {
		return len(lines)
	}
	if end < len(lines) && string(bytes.TrimSpace(lines[end])) == "}" { // it closes another one, and looks as if it were this one's
		end++
	}
	return end
}

func indent(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t")) }
