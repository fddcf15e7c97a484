package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"pidgeon/config"
	"pidgeon/publish"
	"pidgeon/sizing"
	"pidgeon/supervise"
)

// coldStart publishes the first generation: what was asked for, or, when that
// cannot be used, what last worked.
func (e *entrypoint) coldStart(ctx context.Context) error {
	if ahead, err := e.goAhead(ctx); ahead || err != nil {
		return err
	}
	c, dir, err := e.judgeSources(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return e.lastGood(ctx, err)
	}
	if e.proven == e.origin(c) {
		e.log.Debug("not rehearsed: this configuration has worked before")
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
	c := candidate{settings: e.settings, files: e.again(saved)}
	c.asked = e.asked(sources{settings: e.settings})
	c.sizes = sizing.Size(c.asked, e.machine)
	dir, err := e.store.Stage(c.files)
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

func goodFiles(saved config.Files) config.Files {
	var files config.Files
	for _, f := range saved {
		if f.Name != originName {
			files = append(files, config.File{Name: f.Name, Origin: "last good " + f.Name, Override: path.Dir(f.Name) == "overrides", Mode: f.Mode, Data: f.Data})
		}
	}
	return files
}

// again is what was saved, for the next generation. It may come from another RUN_DIR
// or STATE_DIR, and uses those of now.
func (e *entrypoint) again(saved config.Files) config.Files {
	files := goodFiles(saved).For(e.store.Next())
	for i := range files {
		for name, place := range map[string]string{"base_dir": baseDir(e.settings), "state_dir": dovecotState(e.settings)} {
			line := regexp.MustCompile(`(?m)^` + name + ` = .*$`)
			files[i].Data = line.ReplaceAllLiteral(files[i].Data, []byte(name+" = "+strconv.Quote(place)))
		}
	}
	return files
}

// originOf is empty if it was not kept.
func originOf(saved config.Files) string {
	for _, f := range saved {
		if f.Name == originName {
			return string(f.Data)
		}
	}
	return ""
}

// awaitReady waits until Dovecot serves what is published.
func (e *entrypoint) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("it has not said so for a minute"))
	defer cancel()
	begun := time.Now()
	err := e.master.Ready(ctx)
	e.hears = err == nil
	if e.hears && e.isAhead() {
		// From here to the first greeting Dovecot takes up to one and a half times as
		// long. The judgement takes all processors, and is not to stand before the
		// first client; nor is a slow machine to wait long for being ready.
		select {
		case <-ctx.Done():
		case <-time.After(min(2*time.Since(begun), time.Second)):
		}
	}
	supervise.ReserveThreads(threads)
	return err
}

// started is the end of the start: what serves has been judged.
func (e *entrypoint) started(ctx context.Context) error {
	defer func() { e.cold, e.proven, e.ahead = false, "", config.Sum{} }()
	if e.isAhead() {
		if err := e.confirm(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
	e.log.Info("started", "dovecot", e.dovecot.Version, "generation", e.state.Generation, "pid", e.process.PID(), "listeners", e.state.Listeners)
	e.state.census = census{e.master, baseDir(e.settings)}
	e.serving()
	_ = e.listenForGreetings(ctx) // there is nothing yet that one could go back to
	return nil
}

// startPatience is how long Dovecot may take to serve. It takes 50 to 70 ms; a
// machine that swaps takes longer.
const startPatience = time.Minute
