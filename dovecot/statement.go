package dovecot

import (
	"strings"
)

// statement is one setting, or one edge of a section, as Dovecot's parser takes
// the lines of a file apart.
type statement struct {
	text        *Text
	first, last int // lines, 1-based; several where a \ joins them
	kind        kind
	scope       []string // the sections around it: "service imap-login"
	key         string
	value       string // without quotes; a section's name
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

// path is the full name of what a statement sets: service/imap-login/process_limit.
func (s statement) path() string {
	return strings.ReplaceAll(strings.Join(append(s.scope[:len(s.scope):len(s.scope)], s.section()), "/"), " ", "/")
}

// section is what a section is called in the scope of what stands in it.
func (s statement) section() string {
	if s.kind == opening && s.value != "" {
		return s.key + " " + s.value
	}
	return s.key
}

// within tells whether a statement stands directly in a section of that kind.
func (s statement) within(section string) bool {
	return section == s.around()
}

// around is the kind of the section directly around a statement.
func (s statement) around() string {
	if len(s.scope) == 0 {
		return ""
	}
	kind, _, _ := strings.Cut(s.scope[len(s.scope)-1], " ")
	return kind
}

// sets tells whether a statement gives a setting a value.
func (s statement) sets() bool { return s.kind == assignment || s.kind == fromFile }

// parseLine takes a whole logical line apart.
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
	if s.key == "" {
		s.kind = noSetting
	}
	if path, ok := strings.CutPrefix(value, "<"); ok {
		s.kind, s.value = fromFile, strings.TrimLeft(path, " \t")
	}
}

func (s *statement) open(rest string) {
	name, after, braced := strings.Cut(rest, "{")
	switch {
	case strings.HasSuffix(s.key, "{") && rest == "":
		s.kind = noSetting // "service{": Dovecot wants a space
	case !braced:
		s.kind = noSetting
	case strings.TrimSpace(after) != "":
		s.kind = oneLine
	default:
		s.kind = opening
	}
	s.value, s.raw = unquoted(strings.TrimSpace(name)), rest
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

// uncommented drops a comment and the space around a line. A # within quotes is
// none.
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
