package dovecot

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"pidgeon/finding"
)

// Rehearsal is a private Dovecot that runs a candidate beside the live one: over
// Unix sockets alone, with directories of its own, for a user that exists
// nowhere else. It finds what no reading of the configuration does: a mail
// driver that does not exist, a plugin that is not installed, a key of another
// certificate.
type Rehearsal struct {
	Dir      string // made and removed here; every user must get through to it
	UID, GID int    // owner of all mail
	Texts    Texts  // of the candidate, to name the file behind what is logged
	// Effective holds at least every setting that is not at Dovecot's default.
	Effective Settings
}

// rehearsalPatience bounds a rehearsal, which takes 80 to 150 ms.
const rehearsalPatience = 10 * time.Second

// Rehearse has the candidate main, in dir, serve one session of each protocol.
// What is found is at fault; an error means that the rehearsal could not be held.
func (d *Dovecot) Rehearse(ctx context.Context, r Rehearsal, dir, main string) (finding.List, error) {
	if err := r.prepare(); err != nil {
		return nil, fmt.Errorf("preparing the rehearsal: %w", err)
	}
	defer os.RemoveAll(r.Dir)
	s := stage{Rehearsal: r, dialect: d.Dialect, password: rand.Text()}
	conf := filepath.Join(dir, "rehearsal.conf")
	if err := s.write(filepath.Join(dir, main), conf); err != nil {
		return nil, fmt.Errorf("preparing the rehearsal: %w", err)
	}
	defer os.Remove(conf)
	defer s.removeProbes()
	return d.perform(ctx, s, conf)
}

func (r Rehearsal) prepare() error {
	if err := os.RemoveAll(r.Dir); err != nil {
		return err
	}
	for _, dir := range []string{r.Dir, r.path("state"), r.path("home")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(r.path("home"), r.UID, r.GID)
}

func (r Rehearsal) path(name string) string { return filepath.Join(r.Dir, name) }

// ErrSlow is a rehearsal that did not come to an end. The machine is overloaded,
// or Dovecot hangs: nothing is known of the candidate.
var ErrSlow = errors.New("the rehearsal takes longer than 10 s")

var errCurtain = errors.New("the rehearsal is over")

// perform starts the private Dovecot, plays through, and ends it with everything
// it has started.
func (d *Dovecot) perform(ctx context.Context, s stage, conf string) (finding.List, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, rehearsalPatience, ErrSlow)
	defer cancel()
	log, err := os.Create(s.path("log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(d.path, "-F", "-c", conf)
	cmd.Stdout, cmd.Stderr = log, log
	running, curtain := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := d.run(running, cmd)
		curtain(errors.New("it ended by itself")) // no use waiting for its sockets
		ended <- err
	}()
	failure := s.play(running)
	if failure != nil {
		s.awaitReason(ctx)
	}
	curtain(errCurtain)
	<-ended
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	said, _ := os.ReadFile(s.path("log"))
	return s.verdict(failure, string(said)), nil
}

// awaitReason gives the log time to arrive: it takes the way over Dovecot's log
// process, and the client hears of a failure first.
func (s stage) awaitReason(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		said, _ := os.ReadFile(s.path("log"))
		if complains.Match(said) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// verdict turns a failed play and what was logged meanwhile into findings.
func (s stage) verdict(failure error, said string) finding.List {
	if failure == nil {
		return nil
	}
	found := s.Texts.logged(said, s.dialect)
	if len(found) == 0 {
		return finding.List{{Code: finding.RehearsalFailed, Problem: "the rehearsal failed: " + failure.Error(), Hint: "mail would not work with this configuration"}}
	}
	slices.SortStableFunc(found, func(a, b finding.Finding) int { return cmp.Compare(b.File, a.File) }) // placed ones first
	for i := range found {
		found[i].Problem = "the rehearsal failed: " + found[i].Problem
	}
	return found
}

// "Nov 23 15:20:48 imap(user)<7><…>: Error: …"; doveconf's come without a time.
var complains = regexp.MustCompile(`(?m)^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} )?(\S.*?: (?:Error|Fatal|Panic): .*)$`)

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
		if text, n, ok := t.behind(m[1]); ok {
			f.File, f.Line = text.Origin, n
		}
		found = append(found, f)
	}
	return found
}

// behind guesses who set what a log line complains of: the last line of an
// override whose setting, or whose value, the complaint names.
func (t Texts) behind(complaint string) (Text, int, bool) {
	for i := len(t) - 1; i >= 0; i-- {
		if !t[i].Mine {
			continue
		}
		lines := strings.Split(string(t[i].Data), "\n")
		for n := len(lines) - 1; n >= 0; n-- {
			key, value, ok := strings.Cut(lines[n], "=")
			key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `<"`)
			if ok && key != "" && (strings.Contains(complaint, key) || mentions(complaint, value)) {
				return t[i], n + 1, true
			}
		}
	}
	return Text{}, 0, false
}

// mentions looks for one of the words of a value; short ones (yes, 1) say
// nothing.
func mentions(complaint, value string) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t:", r) }) {
		if len(word) > 3 && strings.Contains(strings.ToLower(complaint), strings.ToLower(word)) {
			return true
		}
	}
	return false
}
