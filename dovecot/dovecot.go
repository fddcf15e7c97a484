// Package dovecot knows the installed Dovecot: its version, its command lines, and its
// effective settings. Package lint checks the text of a configuration, package rehearsal
// tries it, and package master watches the Dovecot that serves users.
package dovecot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pidgeon/lazyregexp"
)

// Runner runs a command to its end, in a process group of its own that is killed
// when ctx ends.
type Runner func(ctx context.Context, cmd *exec.Cmd) error

// Dovecot is an installed Dovecot.
type Dovecot struct {
	Version string // as in "2.4.1"
	Dialect string // "2.3" or "2.4": the configuration language it speaks

	Program, Doveconf string // paths
	Run               Runner
	Root              string // the root of Dovecot's file system; empty except in tests

	asking   sync.Mutex
	defaults Settings // nil until asked for

	slowest atomic.Int64 // nanoseconds that an answer of doveconf took
}

const (
	// patience bounds a command that answers in milliseconds unless the machine is out of
	// memory.
	patience = 8 * time.Second
	// doveconfPatience is more, because 2.4.1 takes 0.7 s of a processor for 3000 sections,
	// and others may want that processor.
	doveconfPatience = 20 * time.Second
)

var errPatience = errors.New("it does not answer")

var versionText = lazyregexp.New(`^(\d+\.\d+)\.\d+`)

// What --version prints, "2.4.1-4 (7d8c0e5759)", is a constant in the program.
var versionConstant = lazyregexp.New(`\x002\.[34]\.[0-9.-]+ \([0-9a-f]{6,}\)\x00`)

// versionInside reads the version from the program's file, empty if it is not to be
// found there. To run the program takes 3 ms, and a start of Dovecot 50.
func versionInside(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Size() > 1<<20 {
		return ""
	}
	program, _ := os.ReadFile(path)
	return strings.Trim(string(versionConstant.Find(program)), "\x00")
}

// Find looks for Dovecot in PATH and asks it for its version.
func Find(ctx context.Context, run Runner) (*Dovecot, error) {
	d := &Dovecot{Run: run}
	var err error
	if d.Program, err = lookPath("dovecot"); err != nil {
		return nil, err
	}
	if d.Doveconf, err = lookPath("doveconf"); err != nil {
		return nil, err
	}
	out := versionInside(d.Program)
	if out == "" {
		if out, err = d.output(ctx, exec.Command(d.Program, "--version")); err != nil {
			return nil, fmt.Errorf("asking %s for its version: %w", d.Program, err)
		}
	}
	m := versionText.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("reading the version of %s: no number in %q", d.Program, out)
	}
	d.Version, d.Dialect = m[0], m[1]
	if d.Dialect != "2.3" && d.Dialect != "2.4" {
		return nil, fmt.Errorf("using Dovecot %s: only 2.3 and 2.4 are known", d.Version)
	}
	return d, nil
}

// DefaultConfiguration is the path of Dovecot's default configuration, which doveconf prints
// first whether the file exists or not.
func DefaultConfiguration() string {
	path, _ := lookPath("doveconf")
	said, _ := exec.Command(path, "-d").Output()
	banner, _, _ := strings.Cut(string(said), "\n")
	if _, conf, ok := strings.Cut(banner, "): "); ok {
		return conf
	}
	return "/etc/dovecot/dovecot.conf"
}

// lookPath also tries directories that are not in an ordinary user's PATH.
func lookPath(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/bin/" + name, "/usr/local/sbin/" + name, "/usr/local/bin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("looking for %s: it is not installed: install dovecot-core", name)
}

// Foreground is the command that runs the configuration conf in the foreground.
func (d *Dovecot) Foreground(conf string) *exec.Cmd { return exec.Command(d.Program, "-F", "-c", conf) }

// ask runs a command and returns its standard output and standard error, nothing if it was
// ended.
func (d *Dovecot) ask(ctx context.Context, cmd *exec.Cmd) (out, said string, err error) {
	limit := patience
	if cmd.Path == d.Doveconf {
		limit = doveconfPatience
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w within %v", errPatience, limit))
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err = d.Run(ctx, cmd)
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	if cmd.Path == d.Doveconf {
		d.slowest.Store(max(d.slowest.Load(), int64(time.Since(began))))
	}
	return stdout.String(), stderr.String(), err
}

// SlowestDoveconf is how long the slowest answer of doveconf took. A start takes several
// times as long, because it reads the configuration several times.
func (d *Dovecot) SlowestDoveconf() time.Duration { return time.Duration(d.slowest.Load()) }

// output returns the standard output of a command; the error has its standard error.
func (d *Dovecot) output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	out, said, err := d.ask(ctx, cmd)
	if err != nil && said != "" {
		err = &refusal{said, err}
	}
	return out, err
}

// refusal is the error of a command that has failed and said why.
type refusal struct {
	text string
	err  error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.err }

const getent = "/usr/bin/getent"

// notFound reports whether getent ended because there is no such entry (getent(1)), and not
// for another reason.
func notFound(err error) bool {
	var exit interface{ ExitCode() int }
	return errors.As(err, &exit) && exit.ExitCode() == 2
}

// Resolve looks a name up the way Dovecot does. If the lookup cannot be made, it returns no
// addresses and no error.
func (d *Dovecot) Resolve(ctx context.Context, name string) ([]string, error) {
	out, err := d.output(ctx, exec.Command(getent, "ahosts", name))
	if errors.Is(err, errPatience) || notFound(err) {
		return nil, fmt.Errorf("resolving %s: %w", name, err)
	}
	var addresses []string
	for line := range strings.Lines(out) {
		if address, _, _ := strings.Cut(line, " "); !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}

// LacksEntry reports whether an entry is missing in a database (passwd, group), looked up
// the way Dovecot does.
func (d *Dovecot) LacksEntry(ctx context.Context, database, name string) bool {
	return notFound(d.Run(ctx, exec.Command(getent, database, name)))
}
