package dovecot

import (
	"regexp"
	"strconv"
	"strings"

	"pidgeon/finding"
)

// sentence is one sentence of doveconf's.
type sentence struct {
	fatal   bool
	file    string // as Dovecot reads it
	line    int
	problem string
}

var (
	// "doveconf: Fatal: Error in configuration file F line N: …", and without line.
	faultText = regexp.MustCompile(`(?s)(?:Error in configuration file |: Error: )(\S+?)(?: line (\d+))?: (.*)$`)
	// "doveconf: Warning: [Configuration file ]F line N: …"
	warningText = regexp.MustCompile(`doveconf: Warning: (?:Obsolete setting in |Configuration file )?(/\S+?)(?: line |:)(\d+): (.*)$`)
	startedAt   = regexp.MustCompile(` ?\(section started at (\S+):(\d+)\)`)
	serviceText = regexp.MustCompile(`service\(([^)]+)\): (\w+)`)
)

// sentences reads doveconf's standard error. A sentence that quotes a line end
// goes on in the next line, after another "Fatal:" (2.4.1).
func sentences(said string) []sentence {
	var all []sentence
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		_, fatal, isFatal := strings.Cut(line, "Fatal: ")
		if _, panicked, ok := strings.Cut(line, "Panic: "); ok {
			fatal, isFatal = panicked, true
		}
		switch {
		case isFatal && strings.HasPrefix(fatal, ")") && len(all) > 0:
			all[len(all)-1].problem += fatal
		case isFatal:
			all = append(all, parseFatal(fatal))
		case strings.Contains(line, "Warning: NOTE: You can get a new clean config file"): // of no use here
		case strings.Contains(line, "Warning: "):
			all = append(all, parseWarning(line))
		}
	}
	return all
}

func parseFatal(text string) sentence {
	c := sentence{fatal: true, problem: text}
	if m := faultText.FindStringSubmatch(text); m != nil {
		c.file, c.problem = m[1], m[3]
		c.line, _ = strconv.Atoi(m[2])
	}
	if m := startedAt.FindStringSubmatch(c.problem); m != nil {
		c.file, c.problem = m[1], startedAt.ReplaceAllString(c.problem, "")
		c.line, _ = strconv.Atoi(m[2])
	}
	return c
}

func parseWarning(line string) sentence {
	c := sentence{problem: strings.TrimPrefix(line, "doveconf: Warning: ")}
	if m := warningText.FindStringSubmatch(line); m != nil {
		c.file, c.problem = m[1], m[3]
		c.line, _ = strconv.Atoi(m[2])
	}
	return c
}

// fault places a sentence: the lines that it is about, and who wrote them.
func (t Texts) fault(c sentence, statements []statement, dialect string) fault {
	s, placed := c.culprit(statements)
	f := fault{Finding: finding.Finding{File: t.origin(c.file), Line: c.line, Problem: c.problem}, path: c.file, first: c.line, last: c.line}
	section := ""
	if placed {
		section = s.around()
		f.File, f.Line, f.path = s.text.Origin, max(c.line, s.first), s.text.Path
		f.first, f.last = s.first, max(s.last, s.end)
		if s.kind == opening && s.end == 0 {
			f.last = 1 << 30
		}
	}
	for _, text := range t {
		f.Problem = strings.ReplaceAll(f.Problem, text.Path, text.Origin)
	}
	f.Code, f.Hint = understand(c.problem, dialect)
	if name, ok := unknown(c.problem); ok {
		f.Problem = "Unknown setting: " + name
		if section != "" {
			f.Code, f.Hint = f.inSection(section, name, dialect)
		}
	}
	return f
}

// inSection looks for a name where it stands, now that this is known.
func (f fault) inSection(section, name, dialect string) (finding.Code, string) {
	if hint := otherDialect(section, name, dialect); hint != "" {
		return finding.OtherDialect, hint
	}
	return finding.UnknownSetting, "correct its name, or remove the line"
}

// culprit is the statement that a sentence is about. Of a check of the whole,
// which blames the main file, it is the one in force: the last.
func (c sentence) culprit(statements []statement) (statement, bool) {
	if c.line > 0 {
		for _, s := range statements {
			if s.text.Path == c.file && s.first <= c.line && c.line <= s.last {
				return s, true
			}
		}
		return statement{}, false
	}
	key, _, _ := strings.Cut(c.problem, ":")
	if m := serviceText.FindStringSubmatch(c.problem); m != nil {
		key = "service/" + m[1] + "/" + m[2]
	}
	return lastOf(statements, key)
}

// lastOf finds the statement that has the last word on a setting.
func lastOf(statements []statement, path string) (statement, bool) {
	for i := len(statements) - 1; i >= 0; i-- {
		s := statements[i]
		if (s.sets() || s.kind == opening) && s.path() == path {
			return s, true
		}
	}
	return statement{}, false
}
