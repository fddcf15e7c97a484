package command

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"pidgeon/candidate"
	"pidgeon/publish"
	"pidgeon/supervise"
)

// Judge answers a candidate.Request; it is not for people. Each verdict that it writes
// counts until it writes another, so that whatever ends it, something was said.
func Judge(c Call) int {
	if err := confine(); err != nil {
		return ExitUsage
	}
	var r candidate.Request
	if err := json.NewDecoder(c.Stdin).Decode(&r); err != nil {
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	children, err := supervise.New(slog.New(slog.DiscardHandler))
	if err != nil {
		return c.complain(err)
	}
	defer children.Close()
	out := json.NewEncoder(c.Stdout)
	say := func(v candidate.Verdict) { _ = out.Encode(v) }
	h, err := c.host(ctx, r, children.Run)
	if err != nil {
		say(candidate.Failure(err))
		return ExitConfig
	}
	store, err := publish.Open(r.Store, r.Facts.Identity.DovecotGroup())
	if err != nil {
		say(candidate.Failure(err))
		return ExitConfig
	}
	say(h.Judge(ctx, store, r, say))
	return 0
}

// confine has the kernel end this process, or those that it starts, rather than PID 1 or
// the Dovecot that serves. The soft limit alone is lowered: a service of Dovecot sets
// its own (2.3.19, 2.4.1: lib/restrict-process-size.c).
func confine() error {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	limit.Cur = min(limit.Cur, candidate.MaxMemory)
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &limit)
}
