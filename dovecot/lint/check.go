package lint

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/dovecot"
	"pidgeon/finding"
)

// Check has doveconf read the configuration main, whose text is c, and returns all
// that is wrong with it. An error means that the check itself could not be made.
func Check(ctx context.Context, d *dovecot.Dovecot, main string, c *Config) (finding.List, error) {
	if len(c.elsewhere.over) > 0 {
		return c.elsewhere.over, nil // doveconf would read on
	}
	said, err := d.Complaints(ctx, main)
	if err != nil {
		return nil, err
	}
	var found finding.List
	for _, complaint := range said {
		found = append(found, c.placed(ctx, d, complaint))
	}
	if faults := found.Faults(); len(faults) > 0 {
		found = append(c.everything(ctx, d, main, faults), found.Warnings()...)
	}
	found = slices.Concat(found, c.encoding(), c.otherWords(d.Dialect, false), c.each(chrooted), c.absent(ctx, d))
	if d.Dialect == "2.3" {
		found = append(found, c.each(otherMeaning)...)
	}
	if len(found.Faults()) == 0 {
		found = slices.Concat(found, c.withoutEffect(ctx, d), c.idle(ctx, d))
	}
	return c.ordered(unique(found)), nil
}

// each collects what a rule finds in the statements of overrides.
func (c *Config) each(rule func(*statement) finding.Finding) finding.List {
	var found finding.List
	for s := range c.overrides {
		if f := rule(s); f.Problem != "" {
			found = append(found, f)
		}
	}
	return found
}

// overrides are the statements of overrides.
func (c *Config) overrides(yield func(*statement) bool) {
	for _, s := range c.statements {
		if s.file.Override && !yield(s) {
			return
		}
	}
}

// origin is how the operator knows a file that Dovecot names.
func (c *Config) origin(path string) string {
	if f := c.byPath[path]; f != nil {
		return f.Origin
	}
	if path == "" {
		return ""
	}
	return filepath.Clean(path)
}

// unique drops what is said twice: doveconf 2.3 repeats its verdict for each
// plugin it asks, and the lint may have found the same line.
func unique(found finding.List) finding.List {
	seen := map[finding.Finding]bool{}
	return slices.DeleteFunc(found, func(f finding.Finding) bool {
		same := finding.Finding{File: f.File, Line: f.Line, Code: f.Code}
		if f.Line == 0 || f.Warning {
			same.Problem = f.Problem
		}
		again := seen[same]
		seen[same] = true
		return again
	})
}

// ordered puts findings in the order in which Dovecot reads their files, those
// without a file last.
func (c *Config) ordered(found finding.List) finding.List {
	places := map[string]int{"": len(c.statements) + 1}
	for i, s := range c.statements {
		if _, known := places[s.file.Origin]; !known {
			places[s.file.Origin] = i
		}
	}
	place := func(f finding.Finding) int {
		if at, known := places[f.File]; known {
			return at
		}
		return len(c.statements)
	}
	slices.SortStableFunc(found, func(a, b finding.Finding) int {
		return cmp.Or(place(a)-place(b), strings.Compare(a.File, b.File), a.Line-b.Line)
	})
	return found
}
