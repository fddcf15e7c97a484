package dovecot

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"pidgeon/finding"
)

// Text is one file of a configuration.
type Text struct {
	Path   string // where Dovecot reads it
	Origin string // where the operator wrote it
	Mine   bool   // the operator's: an override
	Data   []byte
}

// Texts are the files of a configuration in the order Dovecot reads them.
type Texts []Text

// Check has doveconf read the configuration main and returns all that is wrong
// with it. An error means that the check itself could not be made.
func (d *Dovecot) Check(ctx context.Context, main string, texts Texts) (finding.List, error) {
	found := lint(texts)
	said, err := d.conf(ctx, "-x", "-n", "-c", main)
	if err != nil {
		return nil, err
	}
	found = append(found, texts.findings(said, d.Dialect)...)
	return unique(found), nil
}

// conf runs doveconf and returns what it complained of. Its standard output is
// dropped: with -x it holds keys and passwords.
func (d *Dovecot) conf(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.Command(d.doveconf, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	err := d.run(ctx, cmd)
	if ctx.Err() != nil {
		return "", fmt.Errorf("checking with doveconf: %w", context.Cause(ctx))
	}
	if err != nil && said.Len() == 0 {
		return "", fmt.Errorf("checking with doveconf: %w", err)
	}
	return said.String(), nil
}

var (
	// "doveconf: Fatal: Error in configuration file F line N: …", and without line.
	faultText = regexp.MustCompile(`(?:Error in configuration file |: Error: )(\S+?)(?: line (\d+))?: (.*)$`)
	// "doveconf: Warning: [Configuration file ]F line N: …"
	warningText = regexp.MustCompile(`doveconf: Warning: (?:Obsolete setting in |Configuration file )?(/\S+?)(?: line |:)(\d+): (.*)$`)
	startedAt   = regexp.MustCompile(` ?\(section started at (\S+):(\d+)\)`)
	serviceText = regexp.MustCompile(`service\(([^)]+)\): (\w+)`)
)

// findings reads doveconf's standard error.
func (t Texts) findings(said, dialect string) finding.List {
	var found finding.List
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "Fatal: "):
			found = append(found, t.fault(line, dialect))
		case strings.Contains(line, "Warning: "):
			found = append(found, t.warning(line))
		}
	}
	return found
}

func (t Texts) fault(line, dialect string) finding.Finding {
	f := finding.Finding{Problem: strings.TrimPrefix(line, "doveconf: Fatal: ")}
	if m := faultText.FindStringSubmatch(line); m != nil {
		f.File, f.Problem = m[1], m[3]
		f.Line, _ = strconv.Atoi(m[2])
	}
	if m := startedAt.FindStringSubmatch(f.Problem); m != nil {
		f.File, f.Problem = m[1], startedAt.ReplaceAllString(f.Problem, "")
		f.Line, _ = strconv.Atoi(m[2])
	}
	if f.Line == 0 {
		f.File, f.Line = t.culprit(f)
	}
	f.File = t.origin(f.File)
	f.Hint = hint(f.Problem, dialect)
	return f
}

func (t Texts) warning(line string) finding.Finding {
	f := finding.Finding{Problem: strings.TrimPrefix(line, "doveconf: Warning: "), Warning: true}
	if m := warningText.FindStringSubmatch(line); m != nil {
		f.File, f.Problem = t.origin(m[1]), m[3]
		f.Line, _ = strconv.Atoi(m[2])
	}
	for _, text := range t { // a second place may be named within the sentence
		f.Problem = strings.ReplaceAll(f.Problem, text.Path, text.Origin)
	}
	return f
}

// culprit looks for who set what a check of the whole complains of: Dovecot
// blames the main file, the operator wants the line.
func (t Texts) culprit(f finding.Finding) (string, int) {
	key, _, _ := strings.Cut(f.Problem, ":")
	if m := serviceText.FindStringSubmatch(f.Problem); m != nil {
		key = m[2]
	}
	if text, line, ok := t.last(key); ok {
		return text.Path, line
	}
	return f.File, 0
}

// last finds the last line that assigns key, an override's before a template's:
// that is the one in force.
func (t Texts) last(key string) (Text, int, bool) {
	assignment := regexp.MustCompile(`^\s*` + regexp.QuoteMeta(key) + `\s*[={]`)
	for i := len(t) - 1; i >= 0; i-- {
		lines := strings.Split(string(t[i].Data), "\n")
		for n := len(lines) - 1; n >= 0; n-- {
			if assignment.MatchString(lines[n]) {
				return t[i], n + 1, true
			}
		}
	}
	return Text{}, 0, false
}

func (t Texts) origin(path string) string {
	for _, text := range t {
		if text.Path == path {
			return text.Origin
		}
	}
	return filepath.Clean(path)
}

// unique drops what is said twice: doveconf 2.3 repeats its verdict for each
// plugin it asks, and the lint may have found the same line.
func unique(found finding.List) finding.List {
	type place struct {
		file    string
		line    int
		problem string
	}
	seen := map[place]bool{}
	var kept finding.List
	for _, f := range found {
		at := place{f.File, f.Line, ""}
		if f.Line == 0 || f.Warning {
			at.problem = f.Problem
		}
		if !seen[at] {
			seen[at] = true
			kept = append(kept, f)
		}
	}
	return kept
}
