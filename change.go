package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/publish"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// generations is what the entrypoint knows of the configurations it has judged.
type generations struct {
	// settled is the last one that was judged, published or refused: the same
	// sources need not be judged again.
	settled [sha256.Size]byte
	applied [sha256.Size]byte // the one that Dovecot runs
	effect  [sha256.Size]byte
	dir     string // where that one lies
	told    string // the remarks that were logged last
	state   state
}

// coldStart publishes the first generation: what was asked for, or, when that
// cannot be used, what last worked.
func (e *entrypoint) coldStart(ctx context.Context) error {
	c, dir, err := e.judgeSources(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return e.lastGood(ctx, err)
	}
	e.accept(c, dir)
	return e.store.Publish(dir)
}

// lastGood publishes the generation that last worked, and says so. Without one,
// or where the operator wants none, the reason is returned.
func (e *entrypoint) lastGood(ctx context.Context, reason error) error {
	if e.settings.OnInvalid == "fail" {
		return reason
	}
	saved, ok, err := publish.LoadGood(string(e.settings.StateDir))
	if err != nil || !ok {
		return errors.Join(reason, err)
	}
	c := candidate{settings: e.settings, files: goodFiles(saved).For(e.store.Next())}
	c.sizes = sizing.Size(e.settings.Ask(), e.machine)
	dir, err := e.store.Stage(publishFiles(c.files))
	if err == nil {
		err = e.pass(ctx, dir, &c) // it may come from another version of Dovecot
	}
	if err != nil {
		return errors.Join(reason, fmt.Errorf("using the last good configuration: %w", err))
	}
	e.accept(c, dir)
	e.refuse(reason)
	e.log.Error("starting with the last good configuration", "generation", filepath.Base(dir))
	return e.store.Publish(dir)
}

func goodFiles(saved []publish.File) render.Files {
	files := make(render.Files, len(saved))
	for i, f := range saved {
		files[i] = render.File{Name: f.Name, Origin: "last good " + f.Name, Mode: f.Mode, Data: f.Data}
	}
	return files
}

// awaitReady waits until Dovecot serves what is published.
func (e *entrypoint) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("it has not said so for a minute"))
	defer cancel()
	if err := e.master.Ready(ctx); err != nil {
		return err
	}
	e.log.Info("started", "dovecot", e.dovecot.Version, "generation", e.state.Generation, "pid", e.process.PID(), "listeners", e.state.Listeners)
	e.serving()
	return nil
}

// startPatience is how long Dovecot may take to serve. It takes 50 to 70 ms; a
// machine that swaps takes longer.
const startPatience = time.Minute

// serving records that the generation is in force.
func (e *entrypoint) serving() {
	e.state.Ready = true
	e.state.Since = time.Now()
	e.control.set(e.state)
	if e.state.Degraded {
		return
	}
	if err := publish.SaveGood(string(e.settings.StateDir), e.dir); err != nil {
		e.log.Warn("last good configuration not kept", "error", err)
	}
	if err := e.store.Prune(); err != nil {
		e.log.Warn("old generations not removed", "error", err)
	}
}

// change looks at the sources and, if they have changed, has Dovecot load what
// they come to. Whatever is wrong with them, the running configuration stays.
func (e *entrypoint) change(ctx context.Context) error {
	forced := e.forced
	e.forced = false
	c, dir, err := e.judgeSources(ctx)
	switch {
	case ctx.Err() != nil:
		return e.discard(dir)
	case errors.Is(err, errUnchanged) && !forced:
		return nil
	case errors.Is(err, errUnchanged):
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

// errUnchanged is the verdict on sources that have been judged before.
var errUnchanged = errors.New("unchanged")

// judgeSources reads the sources, makes a candidate of them and has it checked.
// The candidate lies in dir, unpublished.
func (e *entrypoint) judgeSources(ctx context.Context) (candidate, string, error) {
	in, err := e.read(ctx)
	if err != nil {
		return candidate{}, "", e.unlessSettled(sha256.Sum256([]byte(err.Error())), err)
	}
	e.tell(in.remarks)
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
	dir, err := e.check(ctx, e.store, in, &c)
	if judged := (finding.List)(nil); err == nil || errors.As(err, &judged) {
		e.settled = c.digest // a check that could not be made is made again
	}
	e.tell(c.remarks)
	return c, dir, err
}

// unlessSettled turns an error that was reported before into errUnchanged.
func (e *entrypoint) unlessSettled(digest [sha256.Size]byte, err error) error {
	if errors.Is(err, mount.ErrUnstable) {
		e.wanted = false // the next event, or the next poll, comes for sure
		return errUnchanged
	}
	if digest == e.settled {
		return errUnchanged
	}
	e.settled = digest
	return err
}

// tell logs remarks, unless they are those that were logged last.
func (e *entrypoint) tell(remarks []string) {
	all := strings.Join(remarks, "\n")
	if all == e.told || len(remarks) == 0 {
		return
	}
	for _, remark := range remarks {
		if !strings.Contains(e.told, remark) {
			e.log.Warn("noticed", "what", remark)
		}
	}
	e.told = all
}

// load publishes a checked candidate, reloads, and takes it back if Dovecot does
// not carry it out.
func (e *entrypoint) load(ctx context.Context, c candidate, dir string) error {
	before, live := e.generations, e.bound
	if err := e.store.Publish(dir); err != nil {
		e.refuse(err)
		return e.discard(dir)
	}
	e.accept(c, dir)
	err := e.reload(ctx)
	if err == nil {
		e.log.Info("reloaded", "generation", filepath.Base(dir))
		e.serving()
		return nil
	}
	settled := e.settled
	e.generations, e.bound = before, live
	e.settled = settled
	e.refuse(err)
	return e.undo(ctx, err)
}

// undo publishes the generation that ran before. Dovecot runs it still, unless
// the reload was carried out in part.
func (e *entrypoint) undo(ctx context.Context, reason error) error {
	if err := e.store.Publish(e.dir); err != nil {
		e.log.Error("previous generation not published", "error", err)
	}
	var refused *dovecot.Refused
	if errors.As(reason, &refused) && !refused.Partial {
		return nil
	}
	if err := e.reload(ctx); err != nil && ctx.Err() == nil {
		e.log.Error("previous generation not reloaded", "error", err)
	}
	return nil
}

// reload has Dovecot load what is published and makes sure that it did.
func (e *entrypoint) reload(ctx context.Context) error {
	if err := e.master.Reload(ctx, e.hangUp); err != nil {
		return err
	}
	return missing(e.state.Listeners)
}

func (e *entrypoint) hangUp() error { return e.process.Signal(syscall.SIGHUP) }

// reloadAgain obeys a SIGHUP where nothing has changed.
func (e *entrypoint) reloadAgain(ctx context.Context) error {
	if err := e.reload(ctx); err != nil {
		e.log.Error("reload not carried out", "error", err)
		return nil
	}
	e.log.Info("reloaded", "generation", e.state.Generation)
	return nil
}

// missing finds listeners that are not there after all.
func missing(listeners map[string]int) error {
	there, err := dovecot.Listening()
	if err != nil {
		return nil // no /proc/net: nothing can be said
	}
	refused := &dovecot.Refused{Partial: true}
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

// accept takes a candidate for the one in force.
func (e *entrypoint) accept(c candidate, dir string) {
	e.dir, e.applied, e.effect = dir, c.digest, c.effect
	e.state.Version, e.state.Dovecot = version, e.dovecot.Version
	e.state.Generation = filepath.Base(dir)
	e.state.Overrides, e.state.Listeners = c.overrides, c.ports()
	e.bound = c.listeners
	e.state.CertificateExpires = c.expires
	e.state.Degraded, e.state.Refused = false, nil
	if len(c.settings.Users) == 0 {
		e.tell([]string{"nobody can log in: add a user with USERS=name:password"})
	}
}

// refuse says why a change is not in force.
func (e *entrypoint) refuse(reason error) {
	why := sentences(reason)
	if e.state.Degraded && slices.Equal(why, e.state.Refused) {
		return
	}
	e.state.Degraded, e.state.Refused = true, why
	for _, sentence := range e.state.Refused {
		e.log.Error("refused", "reason", sentence, "running", e.state.Generation)
	}
	e.control.set(e.state)
}

// noEffect takes note of a change that changes nothing for Dovecot: it is spared
// the reload, and the operator the wondering.
func (e *entrypoint) noEffect(c candidate) {
	e.applied = c.digest
	e.state.Overrides = c.overrides
	e.state.Degraded, e.state.Refused = false, nil
	e.log.Info("changed without effect", "running", e.state.Generation, "overrides", c.overrides)
	e.control.set(e.state)
}

// recover takes note that what was refused was taken back.
func (e *entrypoint) recover() {
	if !e.state.Degraded {
		return
	}
	e.state.Degraded, e.state.Refused = false, nil
	e.log.Info("taken back", "running", e.state.Generation)
	e.control.set(e.state)
}

// watchSources follows everything a configuration is made of.
func (e *entrypoint) watchSources(s settings.Settings, references []string) {
	files := slices.Concat([]string{string(s.TLSCertPath), string(s.TLSKeyPath)}, s.Files, references)
	e.watcher.Watch(mount.Dirs(string(s.OverridesDir)), files)
}
