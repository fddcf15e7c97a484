package dovecot

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
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
	said, err := d.conf(ctx, "-x", "-n", "-c", main)
	if err != nil {
		return nil, err
	}
	statements := texts.statements()
	found := texts.findings(said, d.Dialect)
	if faults := found.Faults(); len(faults) > 0 {
		found = append(d.everything(ctx, main, texts, faults), found.Warnings()...)
	}
	for i := range texts {
		if texts[i].Mine {
			found = append(found, plain(encoding(&texts[i]))...)
		}
	}
	found = append(found, silent(statements, d.Dialect)...)
	found = append(found, chrooted(statements)...)
	found = append(found, d.absent(ctx, statements)...)
	if len(found.Faults()) == 0 {
		found = append(found, d.withoutEffect(ctx, statements)...)
		found = append(found, d.idle(ctx, statements)...)
	}
	return ordered(unique(found), statements), nil
}

func plain(faults []fault) finding.List {
	var found finding.List
	for _, f := range faults {
		found = append(found, f.Finding)
	}
	return found
}

// conf runs doveconf and returns what it complained of. Its standard output is
// dropped: with -x it holds keys and passwords.
func (d *Dovecot) conf(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	cmd := exec.Command(d.doveconf, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	err := d.run(ctx, cmd)
	if ctx.Err() != nil {
		return "", fmt.Errorf("checking with doveconf: %w", context.Cause(ctx))
	}
	if err != nil && !slices.ContainsFunc(sentences(said.String()), func(c sentence) bool { return c.fatal }) {
		return "", fmt.Errorf("checking with doveconf: %w", err)
	}
	return said.String(), nil
}

// findings reads doveconf's standard error.
func (t Texts) findings(said, dialect string) finding.List {
	var found finding.List
	statements := t.statements()
	for _, c := range sentences(said) {
		f := t.fault(c, statements, dialect).Finding
		f.Warning = !c.fatal
		found = append(found, f)
	}
	return found
}

func (t Texts) origin(path string) string {
	for _, text := range t {
		if text.Path == path {
			return text.Origin
		}
	}
	if path == "" {
		return ""
	}
	return filepath.Clean(path)
}

// unique drops what is said twice: doveconf 2.3 repeats its verdict for each
// plugin it asks, and the lint may have found the same line.
func unique(found finding.List) finding.List {
	type place struct {
		file    string
		line    int
		code    finding.Code
		problem string
	}
	seen := map[place]bool{}
	var kept finding.List
	for _, f := range found {
		at := place{f.File, f.Line, f.Code, ""}
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

// ordered puts findings in the order in which Dovecot reads their files, those
// without a file last.
func ordered(found finding.List, statements []statement) finding.List {
	place := map[string]int{}
	for i, s := range statements {
		if _, known := place[s.text.Origin]; !known {
			place[s.text.Origin] = i + 1
		}
	}
	of := func(f finding.Finding) int {
		if at, known := place[f.File]; known {
			return at
		}
		if f.File == "" {
			return len(statements) + 2
		}
		return len(statements) + 1
	}
	slices.SortStableFunc(found, func(a, b finding.Finding) int {
		if of(a) != of(b) {
			return of(a) - of(b)
		}
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
	return found
}
