package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"pidgeon/config"
	"pidgeon/master"
)

// load publishes a checked candidate, reloads, and takes it back if Dovecot does
// not carry it out.
func (e *entrypoint) load(ctx context.Context, c candidate, dir string) error {
	before, builder := e.generations, e.builder
	if err := e.store.Publish(dir); err != nil {
		e.refuse(err)
		return e.discard(dir)
	}
	e.accept(c, dir)
	err := e.reload(ctx)
	if err == nil {
		e.log.Info("reloaded", "generation", filepath.Base(dir))
		e.state.Reloads.Loaded++
		e.serving()
		return nil
	}
	if ctx.Err() != nil {
		// It all ends. What is published was checked; another SIGHUP now, and with
		// files that go, would have the master hang for 10 s (2.4.1).
		return nil
	}
	settled := e.settled
	var refused *master.Refused
	if errors.As(err, &refused) && !refused.Partial {
		// Nothing is wrong with it: the master refuses for 2 s after a refusal too,
		// whatever it is given. The next poll tries again.
		settled = config.Sum{}
	}
	e.generations, e.builder = before, builder
	e.settled = settled
	e.undo(ctx, err)
	e.refuse(err)
	return e.discard(dir)
}

// undo publishes the generation that ran before. Dovecot runs it still, unless
// the reload was carried out in part.
func (e *entrypoint) undo(ctx context.Context, reason error) {
	if err := e.store.Publish(e.dir); err != nil {
		e.log.Error("previous generation not published", "error", err)
	}
	var refused *master.Refused
	if errors.As(reason, &refused) && !refused.Partial {
		return
	}
	if err := e.reload(ctx); err != nil {
		e.log.Error("previous generation not reloaded", "error", err)
	}
}

// reload has Dovecot load what is published and makes sure that it did.
func (e *entrypoint) reload(ctx context.Context) error {
	if err := e.master.Reload(ctx, e.hangUp); err != nil {
		return err
	}
	if err := missing(e.state.Listeners); err != nil {
		return err
	}
	return e.listenForGreetings(ctx)
}

func (e *entrypoint) hangUp() error { return e.process.Signal(syscall.SIGHUP) }

// reloadAgain obeys a SIGHUP where nothing has changed.
func (e *entrypoint) reloadAgain(ctx context.Context) error {
	defer func() { e.control.set(e.state) }()
	if err := e.reload(ctx); err != nil {
		e.log.Error("reload not carried out", "error", err)
		e.state.Reloads.Refused++
		return nil
	}
	e.log.Info("reloaded", "generation", e.state.Generation)
	e.state.Reloads.Loaded++
	e.state.LastReload = time.Now()
	return nil
}

// missing finds listeners that are not there after all.
func missing(listeners map[string]int) error {
	there, err := master.Listening()
	if err != nil {
		return nil // no /proc/net: nothing can be said
	}
	refused := &master.Refused{Partial: true}
	for name, port := range listeners {
		if !there[port] {
			refused.Complaints = append(refused.Complaints, fmt.Sprintf("nothing listens for %s on port %d", name, port))
		}
	}
	if len(refused.Complaints) > 0 {
		return refused
	}
	return nil
}
