// Package rehearsal runs a private Dovecot on a candidate: over Unix sockets, or a loopback
// address where settings are for some connections alone, with directories of its own, for
// users that exist nowhere else. It finds faults that no check of the text does: a mail driver
// that does not exist, a plugin that is not installed, a key of another certificate.
package rehearsal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// Rehearsal is the input of Run.
type Rehearsal struct {
	Dir            string       // made and removed here; every user must get through to it
	Candidate      string       // the directory of the generation
	UID, GID       int          // owner of all mail
	Config         *lint.Config // of the candidate, to name the line behind what is logged
	OperatorConfig bool         // the operator's whole configuration, which may be without a certificate
	// Domains are those of users in the candidate's passwd-file, as they follow a name: "", "@x".
	Domains []string
	// Effective holds at least every setting that is not at Dovecot's default.
	Effective dovecot.Settings
}

// patience bounds a rehearsal, which takes 80 to 150 ms, or three times as long as doveconf
// for thousands of sections (2.4.1), because a failed start has to be reported within 10 s.
func patience(doveconf time.Duration) time.Duration { return 8*time.Second + 5*doveconf }

// ErrSlow means that a rehearsal did not end, and logged nothing: the machine is overloaded,
// or Dovecot hangs, and the candidate is neither good nor bad.
var ErrSlow = errors.New("the rehearsal takes too long")

// Run has the candidate serve one session of each protocol, and returns its faults. An error
// means that the rehearsal could not be held.
func Run(ctx context.Context, d *dovecot.Dovecot, r Rehearsal) (finding.List, error) {
	if err := r.prepare(); err != nil {
		return nil, fmt.Errorf("preparing the rehearsal: %w", err)
	}
	defer os.RemoveAll(r.Dir)
	p := private{Rehearsal: r, dialect: d.Dialect, password: rand.Text(), doveconf: d.SlowestDoveconf()}
	p.prepareProxied()
	conf := filepath.Join(r.Candidate, "rehearsal.conf")
	if err := p.listUsers(); err != nil {
		return nil, fmt.Errorf("preparing the rehearsal: %w", err)
	}
	if err := p.write(filepath.Join(r.Candidate, config.Main), conf); err != nil {
		return nil, fmt.Errorf("preparing the rehearsal: %w", err)
	}
	defer os.Remove(conf)
	defer p.removeProbes()
	found, err := p.run(ctx, d, conf)
	if slices.ContainsFunc(found, died) {
		if err := errors.Join(r.prepare(), p.listUsers()); err != nil {
			return nil, fmt.Errorf("preparing the rehearsal: %w", err)
		}
		found, err = p.run(ctx, d, conf)
	}
	return found, err
}

// died reports whether a process of the rehearsal has ended without a reason. One such death
// refuses nothing, because it may be a defect of Dovecot: a login process that waits for a
// session's process when auth ends, and then loses that one too, dies of signal 11 (2.3.19,
// not 2.4.0: auth_client_send_cancel), and one that loses anvil during a login keeps a query
// that is freed, and panics when the client leaves (anvil_client_query).
func died(f finding.Finding) bool {
	return strings.Contains(f.Problem, "killed with signal") || strings.Contains(f.Problem, startupFailed)
}

var fatal = lazyregexp.New(`: (?:Fatal|Panic): `)

func (r Rehearsal) prepare() error {
	if err := os.RemoveAll(r.Dir); err != nil {
		return err
	}
	homes := []string{r.path("home")}
	if r.OperatorConfig { // one that leaves it to Dovecot to find out where mail is needs some
		homes = append(homes, r.path("home/Maildir"), r.path("home/Maildir/cur"), r.path("home/Maildir/new"), r.path("home/Maildir/tmp"))
	}
	for _, dir := range append([]string{r.Dir, r.path("state")}, homes...) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	// The innermost first: who owns a directory can put a link in the place of one below.
	for _, home := range slices.Backward(homes) {
		if err := os.Lchown(home, r.UID, r.GID); err != nil {
			return err
		}
	}
	return nil
}

func (r Rehearsal) path(name string) string { return filepath.Join(r.Dir, name) }

var errOver = errors.New("the rehearsal is over")

// run starts the private Dovecot, tries every protocol, and ends all its processes.
func (p private) run(ctx context.Context, d *dovecot.Dovecot, conf string) (finding.List, error) {
	log, err := os.Create(p.path("log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := d.Foreground(conf)
	cmd.Stdout, cmd.Stderr = log, log
	running, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := dovecot.RunConfined(p.Dir, p.probed(), func() error { return d.Run(running, cmd) })
		cancel(errors.New("it ended by itself")) // no use waiting for its sockets
		ended <- err
	}()
	trying, done := context.WithTimeoutCause(running, patience(p.doveconf), ErrSlow)
	defer done()
	failure := p.tryProtocols(trying)
	if failure == nil {
		failure = p.tryFilters(trying)
	}
	if failure == nil {
		failure = p.tryListedUsers(trying)
	}
	if errors.Is(failure, ErrSlow) && p.hasDatabase() && p.authWaits() {
		failure = errAuthWaits
	}
	if failure != nil {
		p.awaitReason(running, trying, failure)
	} else if p.hasDatabase() {
		p.askDatabases(running)
	}
	cancel(errOver)
	<-ended
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return p.verdict(failure)
}

// verdict makes findings of a failure and of the log. A rehearsal that is slow and logged
// nothing has no verdict.
func (p private) verdict(failure error) (finding.List, error) {
	found := p.complaints()
	// auth of 2.3.19 even ends with signal 11 when it starts and PostgreSQL refuses the
	// connection: then nothing more is known of the candidate.
	if said := backends(found); failure == nil || len(said) > 0 {
		return said, nil
	}
	if i := slices.IndexFunc(found, causedByLandlock); i >= 0 {
		return finding.List{finding.Warn(finding.RehearsalFailed, found[i].File, "the rehearsal keeps out of mail, and ended there: "+strings.TrimPrefix(found[i].Problem, failed), "")}, nil
	}
	if errors.Is(failure, ErrSlow) { // what complains and goes on may be about to answer
		found = slices.DeleteFunc(found, func(f finding.Finding) bool { return !fatal.MatchString(f.Problem) && !died(f) })
	}
	switch {
	case len(found) > 0:
		return found, nil
	case errors.Is(failure, errAuthWaits):
		return finding.List{BackendDown(errAuthWaits.Error())}, nil
	case errors.Is(failure, ErrSlow):
		return nil, failure
	}
	silent := finding.Finding{Code: finding.RehearsalFailed, Problem: failed + failure.Error(), Hint: "mail would not work with this configuration"}
	if at := (errFilter{}); errors.As(failure, &at) {
		silent.File, silent.Line = at.File, at.Line
	}
	return finding.List{silent}, nil
}

// owed are the failures whose reason Dovecot logs for sure: not that it turns a client away.
var owed = lazyregexp.New(`the server (?:hung up|answered: (?:\* BYE|.*[Rr]efer to server log))`)

// awaitReason waits for the reason in the log, because a line passes through Dovecot's log
// process and arrives after the client has seen the failure. The master logs that a service
// has failed before the service logs why.
func (p private) awaitReason(running, trying context.Context, failure error) {
	if owed.MatchString(failure.Error()) {
		p.awaitLog(trying, func(string) bool { return len(p.complaints()) > 0 })
	}
	ctx, cancel := context.WithTimeout(running, 300*time.Millisecond+5*p.doveconf)
	defer cancel()
	p.awaitLog(ctx, func(string) bool {
		return slices.ContainsFunc(p.complaints(), func(f finding.Finding) bool { return f.File != "" })
	})
}

func (p private) awaitLog(ctx context.Context, enough func(log string) bool) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if log, _ := os.ReadFile(p.path("log")); enough(string(log)) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
