// Package command has the commands of the program but run: each judges in the
// foreground what run judges in the background, or asks the one that runs, and prints
// what came of it.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pidgeon/candidate"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/status"
	"pidgeon/supervise"
)

// Exit codes of sysexits(3).
const (
	ExitUsage  = 64
	ExitConfig = 78 // the configuration cannot be used
)

// Call is one invocation of the program.
type Call struct {
	Name           string
	Args           []string
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Templates      fs.FS  // templates/DIALECT/NAME
	Version        string // pidgeon's
}

// Usage complains of wrong usage.
func (c Call) Usage(complaint string) int {
	fmt.Fprintf(c.Stderr, "pidgeon: %s\nTry pidgeon --help.\n", complaint)
	return ExitUsage
}

// parse reads the flags; ok is false, with the exit code, where they are wrong, or
// arguments are left that the command does not take.
func (c Call) parse(flags *flag.FlagSet, takesArguments bool) (code int, ok bool) {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	switch err := flags.Parse(c.Args); {
	case err != nil:
		return c.Usage(c.Name + ": " + err.Error()), false
	case !takesArguments && flags.NArg() > 0:
		return c.Usage(c.Name + " does not take " + flags.Arg(0)), false
	}
	return 0, true
}

func (c Call) flags() *flag.FlagSet { return flag.NewFlagSet(c.Name, flag.ContinueOnError) }

// complain prints what keeps a command from its work.
func (c Call) complain(err error) int {
	for _, sentence := range finding.Of(err).Sentences() {
		fmt.Fprintln(c.Stderr, "error:", sentence)
	}
	return ExitConfig
}

// NewLogger logs as the settings ask for it.
func NewLogger(s settings.Settings) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // a wrong one is a fault already
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// Unusable logs why there is nothing to run.
func Unusable(log *slog.Logger, err error) int {
	for _, sentence := range finding.Of(err).Sentences() {
		log.Error("configuration cannot be used", "reason", sentence)
	}
	return ExitConfig
}

// Foreign runs a command that is none of ours under the same PID 1.
func Foreign(c Call) int {
	if strings.HasPrefix(c.Name, "-") {
		return c.Usage("unknown option " + c.Name)
	}
	signals := make(chan os.Signal, 16)
	defer supervise.NotifyAll(signals)()
	s, err := settings.Load(c.Environ)
	log := NewLogger(s)
	if err != nil { // a shell is how one finds out what is wrong
		s.StopGrace = settings.Grace(8 * time.Second)
	}
	children, err := supervise.New(log)
	if err != nil {
		return Unusable(log, err)
	}
	defer children.Close()
	cmd := exec.Command(c.Name, c.Args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return children.Foreground(cmd, signals, time.Duration(s.StopGrace))
}

// trial is a judgement in the foreground, with a store of its own.
type trial struct {
	candidate.Host
	ctx      context.Context
	settings settings.Settings
	store    *publish.Store
	request  candidate.Request
	closing  []func()
}

// open acquires what a judgement needs. A signal ends what goes on, and close then
// removes what it has left.
func (c Call) open() (t *trial, err error) {
	s, err := settings.Load(c.Environ)
	if err != nil {
		return nil, err
	}
	t = &trial{settings: s}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	t.ctx, t.closing = ctx, append(t.closing, stop)
	children, err := supervise.New(NewLogger(s))
	if err != nil {
		return nil, err
	}
	t.closing = append(t.closing, children.Close)
	var facts container.Facts
	if facts.Identity, err = container.Identify(string(s.RunDir)); err != nil {
		return nil, err
	}
	if facts.Machine, facts.Allowed, err = container.Measure(s.Demand()); err != nil {
		return nil, err
	}
	if err = t.makeStore(facts.Identity); err != nil {
		return nil, err
	}
	t.request = candidate.Request{Facts: facts, Store: t.store.Dir, StateDir: string(s.StateDir), SelfSigned: t.store.Dir}
	t.request.Live = liveOf(ctx, string(s.RunDir))
	t.Host, err = c.host(ctx, t.request, children.Run)
	return t, err
}

// makeStore makes a store of its own. Dovecot's users have to get through to the
// rehearsal; a generation lets only its own group in.
func (t *trial) makeStore(id container.Identity) error {
	dir, err := os.MkdirTemp("", "pidgeon-")
	if err != nil {
		return err
	}
	t.closing = append(t.closing, func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	t.store, err = publish.Open(dir, id.DovecotGroup())
	return err
}

func (t *trial) close() {
	for i := len(t.closing) - 1; i >= 0; i-- {
		t.closing[i]()
	}
}

// liveOf is what the entrypoint that runs in runDir, if there is one, has Dovecot
// serve.
func liveOf(ctx context.Context, runDir string) (live candidate.Live) {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	if status.AskLive(ctx, runDir, &live) != nil {
		return candidate.Live{}
	}
	return live
}

// host is where the request is to be answered.
func (c Call) host(ctx context.Context, r candidate.Request, run dovecot.Runner) (candidate.Host, error) {
	h := candidate.Host{
		Version: c.Version, Environ: c.Environ, Fixed: r.Fixed, Facts: r.Facts, Run: run,
		SelfSigned: r.SelfSigned, Rehearsal: filepath.Join(r.Store, "rehearsal"),
	}
	var err error
	if h.Dovecot, err = dovecot.Find(ctx, run); err != nil {
		return h, err
	}
	h.Templates, err = fs.Sub(c.Templates, "templates/"+h.Dovecot.Dialect)
	return h, err
}

// judge has a process of its own judge what is mounted at the moment.
func (t *trial) judge() (candidate.Verdict, error) {
	v := candidate.Ask(t.ctx, t.Run, t.Environ, t.request)
	if t.ctx.Err() != nil {
		return v, errors.New("interrupted")
	}
	return v, nil
}
