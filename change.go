package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// change looks at the sources and, if they have changed, has Dovecot load what
// they come to. Whatever is wrong with them, the running configuration stays.
// When forced, it is loaded again even if nothing has changed.
func (e *entrypoint) change(ctx context.Context, forced bool) error {
	settled := e.settled
	if forced {
		e.settled, e.slow = config.Sum{}, slowness{} // what was wrong may have been elsewhere
	}
	c, dir, err := e.judgeSources(ctx)
	if e.overtaken(ctx, err) {
		e.settled = settled
		return errors.Join(errOvertaken, e.discard(dir))
	}
	switch {
	case ctx.Err() != nil:
		return e.discard(dir)
	case errors.Is(err, errUnchanged) && !forced:
		return nil
	case errors.Is(err, errUnchanged):
		return e.reloadAgain(ctx)
	case err != nil && forced:
		e.refuse(err)
		return e.reloadAgain(ctx)
	case err != nil:
		e.refuse(err)
		return nil
	}
	if c.effect == e.effect && !forced {
		e.noEffect(c)
		return e.discard(dir)
	}
	e.log.Info("changed", "generation", filepath.Base(dir), "overrides", c.overrides)
	return e.load(ctx, c, dir)
}

func (e *entrypoint) discard(dir string) error {
	if dir == "" {
		return nil
	}
	return e.store.Discard(dir)
}

// errOvertaken is the verdict on sources that are no longer what was judged.
var errOvertaken = errors.New("overtaken")

// Good news at once, bad news when it stands: a file that somebody is still
// writing is refused more often than not, and nobody has to read that. Looking
// once more after the judging, instead of waiting longer before it, brought an edit
// into force 0.2 s earlier and covers longer pauses of a writer.
const (
	standing     = 300 * time.Millisecond // how long what is refused has to stay as it is
	maxOvertaken = 4                      // who writes all the time gets a verdict too
)

// overtaken reports whether the overrides have changed since they were read.
func (e *entrypoint) overtaken(ctx context.Context, verdict error) bool {
	if errors.Is(verdict, errUnchanged) || e.rushed == maxOvertaken {
		e.rushed = 0
		return false
	}
	if verdict != nil {
		select {
		case <-ctx.Done():
		case <-time.After(standing):
		}
	}
	tree, _ := mount.Read(string(e.settings.OverridesDir))
	if ctx.Err() != nil || tree.Digest() == e.seen {
		e.rushed = 0
		return false
	}
	e.rushed++
	return true
}

// errUnchanged is the verdict on sources that have been judged before.
var errUnchanged = errors.New("unchanged")

// judgeSources reads the sources, makes a candidate of them and has it checked.
// The candidate lies in dir, unpublished.
func (e *entrypoint) judgeSources(ctx context.Context) (candidate, string, error) {
	in, err := e.read(ctx)
	e.seen = in.tree.Digest()
	if err != nil {
		return candidate{}, "", e.unlessSettled(sha256.Sum256([]byte(err.Error())), err)
	}
	e.announceOnce(e.asked(in))
	e.tell(in.remarks)
	if err := e.tryOnce(ctx, in.tree); err != nil {
		return candidate{}, "", e.unlessSettled(sha256.Sum256([]byte(err.Error())), err)
	}
	c, err := e.build(in, e.store.Next())
	e.watchSources(in.settings, c.references)
	if err != nil {
		return c, "", e.unlessSettled(sha256.Sum256([]byte(err.Error())), err)
	}
	if c.digest == e.applied {
		e.recover()
	}
	if c.digest == e.applied || c.digest == e.settled {
		e.settled = c.digest
		return c, "", errUnchanged
	}
	if !e.slow.permits(c.digest, time.Now()) {
		return c, "", errUnchanged
	}
	dir, err := e.check(ctx, e.store, in, &c)
	if errors.Is(err, dovecot.ErrSlow) {
		e.slow.noted(c.digest, time.Now())
	}
	if judged := finding.List(nil); err == nil || errors.As(err, &judged) {
		e.settled = c.digest // a check that could not be made is made again
	}
	e.tell(c.remarks)
	return c, dir, err
}

// announceOnce says what this container holds, for what is asked of it first.
func (e *entrypoint) announceOnce(protocols []sizing.Protocol) {
	if !e.announced {
		e.announce(e.log, protocols)
		e.announced = true
	}
}

// tryOnce has templates tried that were not tried before.
func (e *entrypoint) tryOnce(ctx context.Context, tree mount.Tree) error {
	digest := tree.Digest()
	if digest == e.tried {
		return nil
	}
	if err := e.trial(ctx, tree); err != nil {
		return err
	}
	e.tried = digest
	return nil
}

// unlessSettled turns an error that was reported before into errUnchanged.
func (e *entrypoint) unlessSettled(digest config.Sum, err error) error {
	// Somebody writes all the time: the next event, or poll, comes for sure.
	if digest == e.settled || errors.Is(err, mount.ErrUnstable) {
		return errUnchanged
	}
	e.settled = digest
	return err
}

// watchSources follows everything a configuration is made of.
func (e *entrypoint) watchSources(s settings.Settings, references []string) {
	files := slices.Concat([]string{string(s.TLSCertPath), string(s.TLSKeyPath)}, s.Files, references)
	e.watcher.Watch(mount.Dirs(string(s.OverridesDir)), files)
}
