package dovecot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/finding"
)

// trial is a copy of a configuration in which everything that is known to be
// wrong is blanked, so that doveconf, which names the first fault alone, comes to
// the next one.
type trial struct {
	dir   string
	main  string
	texts Texts
	names int // sections that were given a name
}

const (
	// maxRounds and trialPatience bound how often doveconf is asked about a
	// configuration that is refused already; one round takes 10 to 15 ms.
	maxRounds     = 30
	trialPatience = 5 * time.Second
)

// newTrial copies the texts beside the configuration, or, where that is not
// possible, to the temporary directory.
func newTrial(main string, texts Texts) (*trial, error) {
	if texts.origin(main) == main {
		return nil, errors.New("copying the configuration: its main file is not among the texts")
	}
	dir, err := os.MkdirTemp(filepath.Dir(main), "trial-")
	if err != nil {
		if dir, err = os.MkdirTemp("", "pidgeon-trial-"); err != nil {
			return nil, fmt.Errorf("copying the configuration: %w", err)
		}
	}
	t := &trial{dir: dir, main: filepath.Join(dir, filepath.Base(main))}
	for _, text := range texts {
		name, err := filepath.Rel(filepath.Dir(main), text.Path)
		if err == nil && filepath.IsLocal(name) {
			text.Path = filepath.Join(dir, name)
			t.texts = append(t.texts, text)
		}
	}
	return t, nil
}

func (t *trial) remove() { os.RemoveAll(t.dir) }

// write puts the copy on disk; it may hold passwords.
func (t *trial) write() error {
	for _, text := range t.texts {
		if err := os.MkdirAll(filepath.Dir(text.Path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(text.Path, text.Data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// everything returns all faults of a configuration that doveconf refuses.
func (d *Dovecot) everything(ctx context.Context, main string, texts Texts, first finding.List) finding.List {
	t, err := newTrial(main, texts)
	if err != nil {
		return first // better than none
	}
	defer t.remove()
	ctx, cancel := context.WithTimeout(ctx, trialPatience)
	defer cancel()
	found := t.take(syntax(t.texts))
	found = append(found, t.take(dialectFaults(t.texts.statements(), d.Dialect))...)
	found = append(found, t.rounds(ctx, d, len(found) > 0)...)
	if len(found.Faults()) == 0 {
		return append(found, first...)
	}
	return d.suggest(ctx, texts, found)
}

// take blanks what some faults stand on.
func (t *trial) take(faults []fault) finding.List {
	var found finding.List
	for _, f := range faults {
		t.blank(f)
		found = append(found, f.Finding)
	}
	return found
}

// rounds asks doveconf until it finds nothing more, or until what it finds may be
// a consequence of what was blanked.
func (t *trial) rounds(ctx context.Context, d *Dovecot, blanked bool) finding.List {
	var found finding.List
	for range maxRounds {
		f, ok := t.next(ctx, d)
		if !ok || blanked && f.first == 0 {
			return found
		}
		if !t.incomplete(f) || !blanked {
			found = append(found, f.Finding)
		}
		if !t.blank(f) {
			return found
		}
		blanked = true
	}
	return append(found, finding.Finding{Code: finding.MoreFaults, Problem: "there may be more faults than these", Hint: "correct these and check again", Warning: true})
}

// next is the first fault that doveconf finds in the copy.
func (t *trial) next(ctx context.Context, d *Dovecot) (fault, bool) {
	if t.write() != nil {
		return fault{}, false
	}
	said, err := d.conf(ctx, "-x", "-n", "-c", t.main)
	if err != nil {
		return fault{}, false
	}
	statements := t.texts.statements()
	for _, c := range sentences(said) {
		if c.fatal {
			return t.texts.fault(c, statements, d.Dialect), true
		}
	}
	return fault{}, false
}

// incomplete tells whether a fault is that something is missing, which may have
// been blanked.
func (t *trial) incomplete(f fault) bool { return strings.Contains(f.Problem, "but it is missing") }

// blank empties the lines of a fault. A section without a name gets one, so that
// what stands in it is looked at too. It reports whether that changed anything.
func (t *trial) blank(f fault) bool {
	for i := range t.texts {
		if t.texts[i].Path != f.path || f.first == 0 {
			continue
		}
		lines := bytes.Split(t.texts[i].Data, []byte("\n"))
		if f.first > len(lines) {
			return false
		}
		before := t.texts[i].Data
		if key, unnamed := strings.CutSuffix(f.Problem, " { } is missing section name"); unnamed && slices.Contains(namedNow, key) {
			lines[f.first-1] = t.name(lines[f.first-1])
		} else {
			clear(lines[f.first-1 : min(f.last, len(lines))])
		}
		t.texts[i].Data = bytes.Join(lines, []byte("\n"))
		return !bytes.Equal(before, t.texts[i].Data)
	}
	return false
}

func (t *trial) name(line []byte) []byte {
	t.names++
	key, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte("{"))
	return fmt.Appendf(nil, "%s pidgeon%d {", bytes.TrimSpace(key), t.names)
}
