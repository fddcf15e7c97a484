package main

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/mount"
	"pidgeon/publish"
)

// A judgement takes four times as long as Dovecot takes to serve. Two kinds of
// configuration are trusted ahead of it, and judged while they serve: one that has
// worked before, and, where there is none to fall back to, one that holds nothing of
// the operator's own. Most starts are of these kinds.

// goAhead publishes the configuration if it is of these kinds. What is wrong with
// the sources is for the judgement to say.
func (e *entrypoint) goAhead(ctx context.Context) (bool, error) {
	saved, hasWorked, err := publish.LoadGood(string(e.settings.StateDir))
	if hasWorked {
		e.running = overrideDigests(goodFiles(saved)) // it worked, so what differs is to blame
		e.proven = originOf(saved)
	}
	if err != nil || e.wary {
		return false, nil
	}
	// One reading will do: what somebody is still writing has not worked before,
	// and what comes later is a change.
	in, err := e.readBeside(e.settings, mount.Read)
	if own := len(in.tree.Conf) + len(in.tree.Templates); err != nil || !hasWorked && own > 0 {
		return false, nil
	}
	if err := e.tryOnce(ctx, in.tree); err != nil {
		return false, nil
	}
	c, err := e.build(in, e.store.Next())
	if err != nil || hasWorked && e.proven != e.origin(c) {
		return false, nil
	}
	if hasWorked {
		c.files = e.again(saved) // sized for what the overrides came to
	}
	dir, err := e.store.Stage(e.staged(c))
	if err != nil {
		return false, err
	}
	e.announceOnce(c.asked)
	e.tell(in.remarks)
	e.log.Debug("started ahead of the judgement", "worked before", hasWorked)
	c.listeners = slices.DeleteFunc(askedListeners(in.settings), func(l dovecot.Listener) bool { return l.Port == 0 })
	e.serveUnjudged(c, dir)
	e.ahead = c.digest
	return true, e.store.Publish(dir)
}

// serveUnjudged takes a candidate for the one in force, and leaves it to be judged.
func (e *entrypoint) serveUnjudged(c candidate, dir string) {
	e.accept(c, dir)
	e.applied = config.Sum{}
}

// confirm judges what Dovecot was started with ahead of that. Where it is at fault
// and has never worked, that is the end; else there is nothing better.
func (e *entrypoint) confirm(ctx context.Context) error {
	c, dir, err := e.judgeSources(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && c.digest == e.ahead && e.proven == "":
		return err
	case err != nil:
		if c.digest == e.ahead && len(c.listeners) > 0 {
			e.serveUnjudged(c, e.dir)
		}
		e.refuse(err)
		return nil
	case c.digest != e.ahead:
		e.log.Info("changed", "generation", filepath.Base(dir), "overrides", c.overrides)
		return e.load(ctx, c, dir)
	}
	e.accept(c, e.dir)
	return e.discard(dir)
}

// didNotStart reports whether Dovecot has ended by itself with what it was started
// with ahead of its judgement.
func (e *entrypoint) didNotStart() bool {
	if !e.isAhead() || e.stopping {
		return false
	}
	select {
	case <-e.ended():
		return true
	default:
		return false
	}
}

// sweep clears away what a Dovecot that did not start has left: for one that finds
// its processes behind their sockets it is running already (2.3.19).
func (e *entrypoint) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	e.children.EndAll(ctx)
	return clearRemains(e.settings)
}

// sweepPatience is how long those processes may take to end before they are killed.
// They serve nobody yet.
const sweepPatience = time.Second

func (b builder) isAhead() bool { return b.ahead != config.Sum{} }
