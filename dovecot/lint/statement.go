package lint

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"pidgeon/finding"
)

// statement is a logical line: a setting, the beginning or end of a section, or an include.
type statement struct {
	file        *file
	at          int // its place among all statements
	first, last int // lines, 1-based; several where a \ joins them
	kind        kind
	in          *section // around it, nil outside of all
	key         string
	name        string // a section's
	value       string // without quotes
	raw         string // as written
	end         int    // of a section: the line that closes it, 0 if none does
}

type kind int

const (
	assignment kind = iota
	fromFile        // key = <path
	opening
	closing
	include
	oneLine   // name { … on one line
	noSetting // nothing that Dovecot knows
)

func (s *statement) target() target { return target{s.in, s.key, s.name} }

// fullName is the full name of what a statement sets: service/imap-login/process_limit.
func (s *statement) fullName() string {
	parts := []string{s.key}
	for in := s.in; in != nil; in = in.around {
		if name := in.called(); name != "" {
			parts = append(parts, name)
		}
		parts = append(parts, in.kind)
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// called is the name of a section, or its number.
func (in *section) called() string {
	if in.number > 0 {
		return fmt.Sprintf("#%d", in.number)
	}
	return in.name
}

// within reports whether a statement stands directly in a section of that kind.
func (s *statement) within(kind string) bool { return s.in != nil && s.in.kind == kind }

// around is the kind of the section directly around a statement.
func (s *statement) around() string {
	if s.in == nil {
		return ""
	}
	return s.in.kind
}

func (s *statement) where() ValuePlace {
	p := ValuePlace{Key: s.key}
	for in := s.in; in != nil; in = in.around {
		p.Sections = append(p.Sections, in.kind)
	}
	return p
}

// sets reports whether a statement gives a setting a value.
func (s *statement) sets() bool { return s.kind == assignment || s.kind == fromFile }

// place is the operator's file:line of a statement.
func (s *statement) place() string { return fmt.Sprintf("%s:%d", s.file.Origin, s.file.Line(s.last)) }

func (s *statement) fault(code finding.Code, problem, hint string) finding.Finding {
	return finding.Finding{Code: code, File: s.file.Origin, Line: s.last, Problem: problem, Hint: hint}
}

func (s *statement) warning(code finding.Code, problem, hint string) finding.Finding {
	f := s.fault(code, problem, hint)
	f.Warning = true
	return f
}

// LogicalLine has the parts of a logical line, which may be several joined by \.
type LogicalLine struct {
	First, Last int // lines, 1-based
	Setting     bool
	Opens       bool // a section
	Closes      bool
	Includes    bool
	FromFile    bool // the value is the path of a file that holds it
	Key         string
	Name        string // a section's
	Value       string // without quotes
	Raw         string // as written
}

// ScanLines splits a file into logical lines, without checks.
func ScanLines(data []byte) iter.Seq[LogicalLine] {
	return func(yield func(LogicalLine) bool) {
		for s := range logicalLines(data) {
			if !yield(LogicalLine{s.first, s.last, s.sets(), s.kind == opening, s.kind == closing, s.kind == include, s.kind == fromFile, s.key, s.name, s.value, s.raw}) {
				return
			}
		}
	}
}

func parseLine(line string) statement {
	key, rest := line, ""
	if i := strings.IndexAny(line, " \t="); i >= 0 {
		key, rest = line[:i], strings.TrimLeft(line[i:], " \t")
	}
	s := statement{key: key}
	switch {
	case key == "!include" || key == "!include_try":
		s.kind, s.value = include, rest
	case strings.HasPrefix(rest, "="):
		s.assign(strings.TrimLeft(rest[1:], " \t"))
	case line == "}":
		s.kind = closing
	default:
		s.open(rest)
	}
	return s
}

func (s *statement) assign(value string) {
	s.raw, s.value = value, unquoted(value)
	if path, ok := strings.CutPrefix(value, "<"); ok {
		s.kind, s.value = fromFile, strings.TrimLeft(path, " \t")
	}
	if s.key == "" {
		s.kind = noSetting
	}
}

func (s *statement) open(rest string) {
	name, after, braced := strings.Cut(rest, "{")
	switch {
	case !braced: // as in "service{": Dovecot wants a space
		s.kind = noSetting
	case strings.TrimSpace(after) != "":
		s.kind = oneLine
	default:
		s.kind = opening
	}
	s.name, s.raw = unquoted(strings.TrimSpace(name)), rest
}

// unquoted undoes what Dovecot's str_unescape undoes.
func unquoted(value string) string {
	n := len(value)
	if n < 2 || value[0] != value[n-1] || value[0] != '"' && value[0] != '\'' {
		return value
	}
	var b strings.Builder
	for i := 1; i < n-1; i++ {
		if value[i] == '\\' && i+1 < n-1 {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// uncommented drops a comment and the space around a line. A # in quotes begins no comment.
func uncommented(line string) string {
	line = strings.Trim(line, " \t\r\n")
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '\'' || c == '"':
			quote = c
		case c == '#':
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return line
}
