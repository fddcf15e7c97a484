package command

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"

	"pidgeon/candidate"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/exporter"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/status"
	"pidgeon/supervise"
)

// judgement is a judgement in the foreground, with a store of its own.
type judgement struct {
	Call
	candidate.Host
	ctx     context.Context
	store   *publish.Store
	request candidate.Request
}

// judging calls work with a judgement, and removes its files afterwards. A signal cancels it.
func (c Call) judging(work func(*judgement) error) error {
	s, err := settings.Load(c.Environ)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	children, err := supervise.New(NewLogger(s, c.Stderr))
	if err != nil {
		return err
	}
	defer children.Close()
	dir, err := os.MkdirTemp("", "pidgeon-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Dovecot's users have to get through to the rehearsal; a generation lets only its
	// own group in.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	var facts container.Facts
	if facts.Identity, err = container.Identify(string(s.RunDir)); err != nil {
		return err
	}
	if facts.Machine, facts.Allowed, err = container.Measure(s.Demand()); err != nil {
		return err
	}
	live := liveOf(ctx, s)
	if live.Conf != "" && !s.HasOperatorConfig() { // it came with a command
		c.Environ = append(slices.Clone(c.Environ), "DOVECOT_CONF="+live.Conf)
	}
	j := &judgement{Call: c, ctx: ctx}
	j.request = candidate.Request{Facts: facts, Store: dir, StateDir: string(s.StateDir), SelfSigned: dir, Live: live}
	if j.Host, j.store, err = c.host(ctx, j.request, children.Run); err != nil {
		return err
	}
	return work(j)
}

func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// liveOf asks the running pidgeon, if there is one, for its candidate.Live.
func liveOf(ctx context.Context, s settings.Settings) (live candidate.Live) {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	if status.AskLive(ctx, string(s.RunDir), &live) != nil {
		return candidate.Live{}
	}
	return live
}

// host returns the host of a request, and the store to stage in.
func (c Call) host(ctx context.Context, r candidate.Request, run dovecot.Runner) (h candidate.Host, store *publish.Store, err error) {
	h = candidate.Host{
		Version: c.Version, Environ: c.Environ, Fixed: r.Fixed, Facts: r.Facts,
		SelfSigned: r.SelfSigned, Rehearsal: filepath.Join(r.Store, "rehearsal"),
	}
	if h.Dovecot, err = dovecot.Find(ctx, run); err != nil {
		return h, nil, err
	}
	if h.Templates, err = fs.Sub(c.Templates, "templates/"+h.Dovecot.Dialect); err != nil {
		return h, nil, err
	}
	uid, gid := r.Facts.Identity.DovecotUser()
	store, err = publish.Open(r.Store, uid, gid)
	return h, store, err
}

// verdict runs a judging process on the present sources. Faults are in the verdict; an error
// means that the judgement failed.
func (j *judgement) verdict() (candidate.Verdict, error) {
	v := candidate.RunJudge(j.ctx, j.Dovecot.Run, j.Call.Environ, j.request)
	if j.ctx.Err() != nil {
		return v, failure{exitInterrupted, "interrupted"}
	}
	return v, nil
}

// refusalOf is an error if a verdict has not passed.
func refusalOf(v candidate.Verdict) error {
	if faults := v.Findings.Faults(); len(faults) > 0 {
		return faults
	}
	return nil
}

// Judge answers a candidate.Request; only the program itself calls it. The last verdict that
// it writes counts, so that there is one whatever ends it.
func Judge(c Call) int {
	if err := confine(); err != nil {
		return ExitUsage
	}
	debug.SetMemoryLimit(candidate.MaxMemory / 2) // else a megabyte of wrong lines fills it with garbage
	var r candidate.Request
	if err := json.NewDecoder(c.Stdin).Decode(&r); err != nil {
		return ExitUsage
	}
	ctx, stop := interruptible()
	defer stop()
	children, err := supervise.New(slog.New(slog.DiscardHandler))
	if err != nil {
		return c.exit(err)
	}
	defer children.Close()
	out := json.NewEncoder(c.Stdout)
	say := func(v candidate.Verdict) { _ = out.Encode(v) }
	h, store, err := c.host(ctx, r, children.Run)
	if err != nil {
		say(candidate.Failure(err))
		return ExitConfig
	}
	say(h.Judge(ctx, store, r, say))
	return 0
}

// Export serves on the sockets of exporter.KeepServing; only the program itself calls it.
func Export(c Call) int {
	if err := confine(); err != nil || len(c.Args) != 2 {
		return ExitUsage
	}
	sockets, err := strconv.Atoi(c.Args[1])
	if err != nil {
		return ExitUsage
	}
	return c.exit(exporter.Serve(c.Args[0], sockets))
}

// confine has the kernel end this process, or its children, before PID 1 or the serving
// Dovecot. It lowers the soft limit alone, because services of Dovecot set their own (2.3.19,
// 2.4.1: lib/restrict-process-size.c).
func confine() error {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	limit.Cur = min(limit.Cur, candidate.MaxMemory)
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &limit)
}
