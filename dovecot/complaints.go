package dovecot

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"

	"pidgeon/finding"
)

// complaints are what the rehearsal's log holds, those with a line to blame first.
func (s stage) complaints() finding.List {
	said, _ := os.ReadFile(s.path("log"))
	found := s.Texts.logged(string(said), s.dialect)
	slices.SortStableFunc(found, func(a, b finding.Finding) int { return cmp.Compare(b.File, a.File) })
	for i := range found {
		found[i].Problem = "the rehearsal failed: " + found[i].Problem
	}
	return found
}

// "Nov 23 15:20:48 imap(user)<7><…>: Error: …"; doveconf's come without a time. The
// master repeats itself with a longer pause each time.
var complains = regexp.MustCompile(`(?m)^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} )?(\S.*?: (?:Error|Fatal|Panic): .*?)(?:, throttling for [\d.]+ secs)?$`)

// logged are the complaints in a log, each with the line that is likely to be
// behind it.
func (t Texts) logged(said, dialect string) finding.List {
	var found finding.List
	seen := map[string]bool{}
	for line := range strings.Lines(said) {
		m := complains.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		_, hint := understand(m[1], dialect)
		f := finding.Finding{Code: finding.RehearsalFailed, Problem: m[1], Hint: hint}
		f.File, f.Line, _ = t.behind(m[1])
		found = append(found, f)
	}
	return found
}

// behind guesses who set what a log line complains of: the last line of an
// override whose setting, or whose value, the complaint names, or else the last
// section of an override about the service that it names.
func (t Texts) behind(complaint string) (file string, line int, ok bool) {
	for _, text := range slices.Backward(t) {
		if !text.Mine {
			continue
		}
		for n, line := range slices.Backward(strings.Split(string(text.Data), "\n")) {
			key, value, ok := strings.Cut(line, "=")
			key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `<"`)
			if ok && key != "" && (containsFold(complaint, key) || mentions(complaint, value)) {
				return text.Origin, n + 1, true
			}
		}
	}
	return t.section(complaint)
}

// "imap-login: Error: …" is by a service, "service(imap-login): …" about one.
var ofService = regexp.MustCompile(`^([a-z-]+)(?:\(\d+\))?: |service\(([^)]+)\)`)

func (t Texts) section(complaint string) (file string, line int, ok bool) {
	services := map[string]bool{}
	for _, m := range ofService.FindAllStringSubmatch(complaint, -1) {
		services[m[1]], services[m[2]] = true, true
	}
	for _, s := range slices.Backward(t.statements()) {
		if s.text.Mine && s.kind == opening && s.key == "service" && services[s.value] {
			return s.text.Origin, s.first, true
		}
	}
	return "", 0, false
}

// mentions looks for one of the words of a value; short ones (yes, 1) say
// nothing.
func mentions(complaint, value string) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t:", r) }) {
		if len(word) > 3 && containsFold(complaint, word) {
			return true
		}
	}
	return false
}

// containsFold disregards case: 2.4 names mechanisms in capitals.
func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
