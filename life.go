package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"pidgeon/config"
	"pidgeon/master"
	"pidgeon/supervise"
)

// live is the order of things: a configuration, Dovecot with it, and from then on
// whatever comes first of signals, changes and Dovecot's end.
func (e *entrypoint) live() int {
	e.cold = true
	generations, builder := e.generations, e.builder
	err, over := e.begin()
	if e.didNotStart() {
		e.log.Warn("Dovecot does not start with what was not judged yet: judging it")
		e.master.Close()
		e.process, e.hears = nil, false
		e.generations, e.builder, e.wary = generations, builder, true
		if err, over = e.during(e.sweep); err == nil && !over {
			err, over = e.begin()
		}
	}
	if over || err != nil {
		return e.finish(err)
	}
	if err, over := e.during(e.started); over {
		return e.finish(nil)
	} else if err != nil {
		e.finish(nil)
		return unusable(e.log, err)
	}
	defer e.watchSessions()()
	for {
		supervise.ReleaseMemory() // what a look has used is not needed until the next one
		select {
		case sig := <-e.signals:
			if over := e.hear(sig); over {
				return e.finish(nil)
			}
		case <-e.watcher.Changed():
			e.wanted = true
		case <-e.process.Done():
			return e.finish(nil)
		}
		for e.wanted {
			if over := e.look(); over {
				return e.finish(nil)
			}
		}
	}
}

// begin has Dovecot serve for the first time.
func (e *entrypoint) begin() (err error, over bool) {
	if err, over := e.during(e.coldStart); over || err != nil {
		return err, over
	}
	if err := e.start(); err != nil {
		return err, false
	}
	return e.during(e.awaitReady)
}

// look has a look at the sources, and another one if they changed meanwhile.
func (e *entrypoint) look() (over bool) {
	forced := e.forced
	e.wanted, e.forced = false, false
	err, over := e.during(func(ctx context.Context) error { return e.change(ctx, forced) })
	switch {
	case errors.Is(err, errOvertaken):
		e.wanted, e.forced = true, e.forced || forced
	case err != nil:
		e.log.Error("change not carried out", "error", err)
	}
	return over
}

// during works in the background and goes on listening: the work owns everything
// of e but wanted and forced, which signals set, and process. A stop signal, or
// Dovecot's end, ends the work, with the processes it has started, and is over.
func (e *entrypoint) during(work func(context.Context) error) (err error, over bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	for {
		select {
		case err := <-done:
			return err, false
		case <-e.ended():
			cancel()
			<-done
			return nil, true
		case sig := <-e.signals:
			if over := e.hear(sig); over {
				cancel()
				<-done
				return nil, true
			}
		}
	}
}

// ended is closed when Dovecot has ended; nil, which is never ready, before its
// start.
func (e *entrypoint) ended() <-chan struct{} {
	if e.process == nil {
		return nil
	}
	return e.process.Done()
}

// hear acts on a signal: stop, look again, or pass it on to the master alone (a
// signal to its group would reach every session behind its back).
func (e *entrypoint) hear(sig os.Signal) (over bool) {
	switch {
	case supervise.IsStop(sig):
		e.log.Info("stopping", "signal", sig.String(), "grace", time.Duration(e.settings.StopGrace).String())
		e.stopping = true
		return true
	case sig == syscall.SIGHUP:
		e.wanted, e.forced = true, true
	case e.process != nil && passedOn(sig):
		if err := e.process.Signal(sig); err != nil {
			e.log.Warn("signal not passed on", "error", err)
		}
	}
	return false
}

// passedOn leaves out what would only harm the master, which knows USR1 (open the
// logs again) and ends by the default action of most others.
func passedOn(sig os.Signal) bool { return sig == syscall.SIGUSR1 || sig == syscall.SIGUSR2 }

// start starts Dovecot on what is published.
func (e *entrypoint) start() error {
	conf := filepath.Join(string(e.settings.RunDir), "current", config.Main)
	cmd := e.dovecot.Foreground(conf)
	running, err := master.New(cmd, e.dovecot.Dialect, string(e.settings.RunDir), os.Stderr)
	if err != nil {
		return err
	}
	process, err := e.children.Start(cmd)
	if err != nil {
		running.Close()
		return err
	}
	running.Started(process.PID())
	e.master, e.process = running, process
	return nil
}

// finish ends what runs and returns the exit code: Dovecot's own, if it came to
// run.
func (e *entrypoint) finish(err error) int {
	if e.process == nil {
		if err != nil {
			return unusable(e.log, err)
		}
		return 0
	}
	if err != nil {
		e.log.Error("Dovecot does not serve", "error", err)
	}
	e.awaitHearing()
	code := e.children.Stop(e.process, e.signals, time.Duration(e.settings.StopGrace), master.IsSession)
	e.master.Close()
	e.log.Info("exited", "code", code)
	if err != nil && code == 0 {
		return 1
	}
	return code
}

// awaitHearing lets a master that is about to serve come to it: a SIGTERM in its
// first milliseconds is lost (seen on 2.4.1), and it would go on until it is killed.
func (e *entrypoint) awaitHearing() {
	if e.hears {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_ = e.master.Ready(ctx)
	}()
	select {
	case <-heard:
	case <-e.process.Done():
		cancel()
		<-heard
	}
}
