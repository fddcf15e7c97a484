// Package dovecot is all that only Dovecot knows: its versions, its command
// lines, what its words mean, how it starts and reloads, whom it serves. It decides
// nothing: what follows from a finding is for its caller.
//
// Whom it serves is known to two: anvil, the one process that a reload keeps, has
// who is logged in (Master.CountSessions), and the kernel has who is connected,
// which is who takes a place from others (CountConnections). Both are asked over
// a socket and a file that cost milliseconds, `doveadm who` costs a process, and
// processes of their own are no sessions where they are used again.
package dovecot

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"time"
)

// Runner runs a command to its end, in a process group of its own that is killed
// when ctx ends.
type Runner func(ctx context.Context, cmd *exec.Cmd) error

// Dovecot is an installed Dovecot.
type Dovecot struct {
	Version string // as in "2.4.1"
	Dialect string // "2.3" or "2.4": the configuration language it speaks

	path     string
	doveconf string
	run      Runner
	root     string // where the file system that Dovecot sees lies for us; empty but in tests
	known    known
}

// patience bounds every call of a command that Dovecot answers in milliseconds;
// on a machine that is out of memory or swapping it takes longer, or for ever.
const patience = 8 * time.Second

var errPatience = fmt.Errorf("it does not answer within %v", patience)

var versionText = regexp.MustCompile(`^(\d+\.\d+)\.\d+`)

// Find looks for Dovecot in PATH and asks it for its version.
func Find(ctx context.Context, run Runner) (*Dovecot, error) {
	d := &Dovecot{run: run}
	var err error
	if d.path, err = lookPath("dovecot"); err != nil {
		return nil, err
	}
	if d.doveconf, err = lookPath("doveconf"); err != nil {
		return nil, err
	}
	out, err := d.output(ctx, exec.Command(d.path, "--version"))
	if err != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", d.path, err)
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("reading the version of %s: no number in %q", d.path, out)
	}
	d.Version, d.Dialect = string(m[0]), string(m[1])
	if d.Dialect != "2.3" && d.Dialect != "2.4" {
		return nil, fmt.Errorf("using Dovecot %s: only 2.3 and 2.4 are known", d.Version)
	}
	return d, nil
}

// lookPath also tries the places that are not in an ordinary user's PATH.
func lookPath(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/bin/" + name, "/usr/local/sbin/" + name, "/usr/local/bin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("looking for %s: it is not installed: install dovecot-core", name)
}

// output returns what a command prints; its error holds what the command wrote
// to standard error.
func (d *Dovecot) output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := d.run(ctx, cmd)
	if err != nil && complaint.Len() > 0 {
		return out.Bytes(), &refusal{complaint.String(), err}
	}
	return out.Bytes(), err
}

// refusal is a command that ended with an error and said why.
type refusal struct {
	text string
	err  error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.err }
