package lint

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// placed turns a complaint into a finding with the operator's file and line.
func (c *Config) placed(ctx context.Context, d *dovecot.Dovecot, said dovecot.Complaint) finding.Finding {
	if said.File != "" { // what copies include begins with ../
		said.File = filepath.Clean(said.File)
	}
	file := c.origins.Replace(said.File)
	f := finding.Finding{File: file, Line: said.Line, Problem: c.origins.Replace(said.Problem), Warning: !said.Fatal}
	section := ""
	if s := c.culprit(said); s != nil {
		section = s.around()
		f.File, f.Line = s.file.Origin, max(said.Line, s.first)
	}
	f.Code, f.Hint = understand(said.Problem)
	if m := inFilter.FindStringSubmatch(f.Problem); m != nil && strings.HasPrefix(f.File, "template ") {
		f.Problem = m[1] + " stays as it is in this section, where what pidgeon sets for all does not count"
		f.File, f.Hint = m[2], "the line can stay"
		f.Line, _ = strconv.Atoi(m[3])
	}
	if m := tooFew.FindStringSubmatch(said.Problem); m != nil {
		if set := c.last(c.service(m[1]), "client_limit"); set == nil || !set.file.Override {
			f.Hint = "pidgeon has sized it as high as ulimit -n allows: raise that, or lower the limits of login services in overrides"
		}
	}
	if m := unknown.FindStringSubmatch(said.Problem); m != nil {
		name := m[1]
		f.Problem = "Unknown setting: " + name
		if hint := otherDialect(section, name, d.Dialect); hint != "" {
			f.Code, f.Hint = finding.OtherDialect, hint
		} else if defaults, err := d.Defaults(ctx); err == nil {
			f.Hint = cmp.Or(suggestion(defaults, section, name), f.Hint)
		}
	}
	return f
}

// unknown finds the name that doveconf does not know: "service { bogus" in 2.3,
// "bogus (service_bogus … not found either.)" in 2.4.
var unknown = lazyregexp.New(`(?s)Unknown (?:setting|section name): (?:.*? )??([^ ]*)(?: \(|$)`)

// "service auth { client_limit=20000 } is lower than required under max. load (50202)"
var tooFew = lazyregexp.New(`^service (\S+) \{ client_limit=\d+ \} is lower than required`)

// "service(imap-login): process_limit must be higher than 0"
var ofSetting = lazyregexp.New(`service\(([^)]+)\): (\w+)`)

// "duplicate listener: 24:127.0.0.1"
var twice = lazyregexp.New(`^duplicate listener: (\d+):`)

// "mailbox Trash: unknown special_use: Trash" (2.3), "… special_use label Trash is not …" (2.4)
var specialUse = lazyregexp.New(`special_use(?: label|:) (\S+)`)

// "Global setting log_path won't change the setting inside an earlier filter at /x line 7"
var inFilter = lazyregexp.New(`^Global setting (\S+) won't change .* at (\S+) line (\d+) \(`)

// lastValue is the last line of an override that sets a value in a kind of section.
func (c *Config) lastValue(kind, key, value string) (last *statement) {
	for s := range c.overrides {
		if s.within(kind) && s.key == key && s.value == value {
			last = s
		}
	}
	return last
}

// PortLine is the operator's line that gives a listener its port.
func (c *Config) PortLine(port int) (file string, line int) {
	if s := c.lastValue("inet_listener", "port", strconv.Itoa(port)); s != nil {
		return s.file.Origin, s.last
	}
	return "", 0
}

// culprit is the statement that a complaint is about, nil if it is not known. Of a
// check of the whole, which blames the main file, it is the one in force: the last.
func (c *Config) culprit(said dovecot.Complaint) *statement {
	if said.Line > 0 {
		if f := c.byPath[said.File]; f != nil {
			return f.in(said.Line)
		}
		return nil
	}
	if m := twice.FindStringSubmatch(said.Problem); m != nil {
		return c.lastValue("inet_listener", "port", m[1])
	}
	if m := ofSetting.FindStringSubmatch(said.Problem); m != nil {
		return c.limitOf(m[1], m[2], said.Problem)
	}
	if m := specialUse.FindStringSubmatch(said.Problem); m != nil {
		return c.lastValue("mailbox", "special_use", m[1])
	}
	key, _, _ := strings.Cut(said.Problem, ":")
	return c.last(nil, key)
}

// limitOf is the statement in force for a limit of a service that a complaint begins with. If
// that is not the operator's and the complaint compares it with one that is, it is that.
func (c *Config) limitOf(service, limit, problem string) *statement {
	in := c.service(service)
	found := c.last(in, limit)
	if found == nil || found.file.Override {
		return found
	}
	for s := range c.overrides {
		if s.in == in && s.sets() && strings.Contains(problem, s.key) {
			found = s
		}
	}
	return found
}

// understand finds the code of a complaint of doveconf, and what to write instead.
func understand(problem string) (finding.Code, string) {
	for _, row := range TableRows("verdicts") {
		if strings.Contains(problem, row[0]) {
			return finding.Code(row[1]), row[2]
		}
	}
	return finding.Refused, ""
}

// "Nov 23 15:20:48 imap(user)<7><…>: Error: …"; doveconf's come without a time. The
// master repeats itself with a longer pause each time.
var complaint = lazyregexp.New(`^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} )?(\S.*?: (?:Error|Fatal|Panic): .*?)(?:, throttling for [\d.]+ secs)?$`)

// LogComplaints are the complaints in a log of Dovecot, each with the line that is likely to
// be its cause.
func (c *Config) LogComplaints(log string) finding.List {
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
		if s := c.databaseLine(m[1]); s != nil {
			f.File, f.Line = s.file.Origin, s.last
		} else if s, line := c.likelyLine(m[1]); s != nil {
			f.File, f.Line = s.file.Origin, line
		}
		found = append(found, f)
	}
	return found
}

// "auth: Error: mysql(db): …", "auth-worker(7): Error: ldap(/etc/dovecot/ldap.conf): …"
var ofDatabase = lazyregexp.New(`^auth[^ ]*: Error: (\w+)\(([^)]*)\)`)

// databaseLine is the line of a passdb or userdb that asks the database of a complaint, whose
// host and name may be words of any line: the first one unless another names its file.
func (c *Config) databaseLine(complaint string) (found *statement) {
	m := ofDatabase.FindStringSubmatch(complaint)
	if m == nil {
		return nil
	}
	driver := m[1]
	if strings.Contains(driver, "sql") { // mysql, pgsql, sqlite
		driver = "sql"
	}
	for s := range c.overrides {
		inside, opens := s.within("passdb") || s.within("userdb"), s.kind == opening && (s.key == "passdb" || s.key == "userdb")
		switch {
		case inside && s.key == "args" && s.value == m[2]:
			return s
		case found == nil && (inside && s.key == "driver" && s.value == driver || opens && s.name == driver):
			found = s
		}
	}
	return found
}

// "imap-login: Error: …" is by a service, "service(imap-login): …" about one.
var ofService = lazyregexp.New(`^([a-z-]+)(?:\(\d+\))?: |service\(([^)]+)\)`)

// likelyLine guesses the cause of a complaint: the line of an override of whose setting or
// value the complaint has the longest word, the last of several, or else the last section of an
// override about the service or the database that it names.
func (c *Config) likelyLine(complaint string) (s *statement, line int) {
	services := map[string]bool{}
	for _, m := range ofService.FindAllStringSubmatch(complaint, -1) {
		services[m[1]], services[m[2]] = true, true
	}
	_, said, _ := strings.Cut(complaint, ": ")
	lower := strings.ToLower(said) // 2.4 names mechanisms in capitals
	var about, named *statement
	longest := 0
	for _, s := range slices.Backward(c.statements) {
		if !s.file.Override {
			continue
		}
		if s.sets() {
			n := wordOf(s.value, lower)
			if strings.Contains(lower, strings.ToLower(s.key)) {
				n = max(n, len(s.key)*min(1, strings.Count(s.key, "_")), 1) // one word, such as driver, says little
			}
			if n > longest {
				longest, named = n, s
			}
		}
		database := (s.key == "passdb" || s.key == "userdb") && strings.Contains(lower, s.key+" ")
		if about == nil && s.kind == opening && (s.key == "service" && services[s.name] || database) {
			about = s
		}
	}
	switch {
	case named != nil:
		return named, named.last
	case about != nil:
		return about, about.first
	}
	return nil, 0
}

// wordOf is the length of the longest word of a value that a complaint has, a path as far as
// its variables, without short ones (yes, 1) and not as a part of another word, because mbox is
// in freedombox.conf.
func wordOf(value, complaint string) (longest int) {
	for word := range strings.FieldsFuncSeq(strings.ToLower(value), func(r rune) bool { return strings.ContainsRune(" \t:", r) }) {
		if strings.HasPrefix(word, "/") {
			word, _, _ = strings.Cut(word, "%")
		}
		if len(word) <= max(3, longest) {
			continue
		}
		parts := strings.Split(complaint, word)
		if slices.ContainsFunc(parts[:len(parts)-1], func(before string) bool {
			return strings.TrimRight(before, "abcdefghijklmnopqrstuvwxyz") == before
		}) {
			longest = len(word)
		}
	}
	return longest
}
