package lint

import (
	"regexp"
	"slices"
	"strings"

	"pidgeon/finding"
)

// "Nov 23 15:20:48 imap(user)<7><…>: Error: …"; doveconf's come without a time. The
// master repeats itself with a longer pause each time.
var complaint = regexp.MustCompile(`^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} )?(\S.*?: (?:Error|Fatal|Panic): .*?)(?:, throttling for [\d.]+ secs)?$`)

// Logged are the complaints in a log of Dovecot's, each with the line that is likely to
// be behind it.
func (c *Config) Logged(log string) finding.List {
	var found finding.List
	seen := map[string]bool{}
	for line := range strings.Lines(log) {
		m := complaint.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		_, hint := understand(m[1])
		f := finding.Finding{Code: finding.RehearsalFailed, Problem: m[1], Hint: hint}
		if s, line := c.likelyLine(m[1]); s != nil {
			f.File, f.Line = s.file.Origin, line
		}
		found = append(found, f)
	}
	return found
}

// "imap-login: Error: …" is by a service, "service(imap-login): …" about one.
var ofService = regexp.MustCompile(`^([a-z-]+)(?:\(\d+\))?: |service\(([^)]+)\)`)

// likelyLine guesses who set what a log line complains of: the last line of an
// override whose setting, or whose value, the complaint names, or else the last
// section of an override about the service that it names.
func (c *Config) likelyLine(complaint string) (s *statement, line int) {
	services := map[string]bool{}
	for _, m := range ofService.FindAllStringSubmatch(complaint, -1) {
		services[m[1]], services[m[2]] = true, true
	}
	lower := strings.ToLower(complaint) // 2.4 names mechanisms in capitals
	var about *statement
	for _, s := range slices.Backward(c.statements) {
		if !s.file.Override {
			continue
		}
		if s.sets() && (strings.Contains(lower, strings.ToLower(s.key)) || hasWordOf(s.value, lower)) {
			return s, s.last
		}
		if about == nil && s.kind == opening && s.key == "service" && services[s.name] {
			about = s
		}
	}
	if about != nil {
		return about, about.first
	}
	return nil, 0
}

// hasWordOf looks for one of the words of a value; short ones (yes, 1) say nothing.
func hasWordOf(value, complaint string) bool {
	words := strings.FieldsFunc(strings.ToLower(value), func(r rune) bool { return strings.ContainsRune(" \t:", r) })
	return slices.ContainsFunc(words, func(word string) bool { return len(word) > 3 && strings.Contains(complaint, word) })
}
