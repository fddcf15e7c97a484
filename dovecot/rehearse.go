package dovecot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// rehearsalPatience bounds a rehearsal, which takes 80 to 150 ms. A start that
// comes to nothing has to say so within 10 s.
const rehearsalPatience = 8 * time.Second

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

// ErrSlow is a rehearsal that did not come to an end, and nothing was logged. The
// machine is overloaded, or Dovecot hangs: nothing is known of the candidate.
var ErrSlow = errors.New("the rehearsal takes longer than 8 s")

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
	cmd := d.Foreground(conf)
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
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ErrSlow) {
		return nil, cause
	}
	return s.verdict(failure)
}

// verdict turns a failed play and what was logged meanwhile into findings. A play
// that is slow and of which nothing was logged says nothing of the candidate.
func (s stage) verdict(failure error) (finding.List, error) {
	found := s.complaints()
	if failure == nil {
		return backendWarnings(found), nil
	}
	if err := backendFailure(found); err != nil {
		return nil, err
	}
	switch {
	case len(found) > 0:
		return found, nil
	case errors.Is(failure, ErrSlow):
		return nil, failure
	}
	return finding.List{{Code: finding.RehearsalFailed, Problem: "the rehearsal failed: " + failure.Error(), Hint: "mail would not work with this configuration"}}, nil
}

// awaitReason gives the log time to arrive: it takes the way over Dovecot's log
// process, and the client hears of a failure first. The master's own lines, which
// say that a service failed, come before the service's, which says why.
func (s stage) awaitReason(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if slices.ContainsFunc(s.complaints(), func(f finding.Finding) bool { return f.File != "" }) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
