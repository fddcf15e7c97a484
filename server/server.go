// Package server is the Dovecot that serves: it is started on a published generation,
// loads others, and is stopped. What it is told to do it makes sure of, and answers
// with an event of package lifecycle, which decides what follows.
package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/dovecot/master"
	"pidgeon/lifecycle"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/supervise"
)

// Server is one Dovecot. Its methods are called one after the other, but for Ended.
type Server struct {
	Log      *slog.Logger
	Settings settings.Settings
	Dovecot  *dovecot.Dovecot
	Children *supervise.Supervisor
	Store    *publish.Store
	Stderr   *supervise.Stderr

	master  *master.Process
	process *supervise.Process // nil until it is started
	hears   bool               // it has said READY=1
}

// Start publishes a generation and starts Dovecot on it.
func (s *Server) Start(g lifecycle.Generation) error {
	runDir := string(s.Settings.RunDir)
	if err := container.RemoveStale(runDir, g.BaseDir, g.StateDir); err != nil {
		return err
	}
	if err := s.Store.Publish(g.Dir); err != nil {
		return err
	}
	cmd := s.Dovecot.Foreground(filepath.Join(publish.Current(runDir), config.Main))
	var log io.Writer = supervise.Relay{Stderr: s.Stderr}
	if s.Settings.LogFormat == "json" {
		log = master.JSONLog(log)
	}
	running, err := master.New(cmd, s.Dovecot.Version, runDir, log)
	if err != nil {
		return err
	}
	process, err := s.Children.Start(cmd)
	if err != nil {
		running.Close()
		return err
	}
	running.Started(process.PID())
	_ = os.WriteFile(filepath.Join(runDir, container.MasterPIDFile), []byte(strconv.Itoa(process.PID())), 0o644)
	s.master, s.process, s.hears = running, process, false
	return nil
}

// Master is what is seen of the Dovecot that was started last; nil if none was.
func (s *Server) Master() *master.Process { return s.master }

// PID is that of its master.
func (s *Server) PID() int { return s.process.PID() }

// Signal sends a signal to its master alone: to its group it would reach every session
// behind the master's back.
func (s *Server) Signal(sig os.Signal) {
	if s.process == nil {
		return
	}
	if err := s.process.Signal(sig); err != nil {
		s.Log.Warn("signal not passed on", "error", err)
	}
}

// Ended is closed when Dovecot has ended; nil, which is never ready, before its start.
func (s *Server) Ended() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.Done()
}

// ServiceDied gets the name of each service of which a process has died that logins depend on.
func (s *Server) ServiceDied() <-chan string {
	if s.master == nil {
		return nil
	}
	return s.master.ServiceDied()
}

const (
	// startPatience is how long Dovecot may take to serve. It takes 50 to 70 ms; a
	// machine that swaps takes longer.
	startPatience = time.Minute
	// threads is how many spare OS threads are created ahead, because under pids.max the
	// runtime aborts when it cannot create one. An idle process uses 8; at most 1 spare
	// was used.
	threads = 8
)

// AwaitReady waits until Dovecot serves. If it is to be judged only then, it waits a
// little more: up to its first greeting Dovecot takes one and a half times as long, and
// a judgement, which takes all processors, is not to stand before the first client; nor
// is a slow machine to wait long for being ready.
func (s *Server) AwaitReady(ctx context.Context, judgedLater bool) lifecycle.Event {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("it has not said so for a minute"))
	defer cancel()
	begun := time.Now()
	if err := s.master.Ready(ctx); errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.Log.Error("Dovecot does not serve", "error", err)
		return lifecycle.DovecotFailed{ExitCode: 1}
	} else if err != nil {
		return nil // it has ended, or all does
	}
	s.hears = true
	if judgedLater {
		select {
		case <-ctx.Done():
		case <-time.After(min(2*time.Since(begun), time.Second)):
		}
	}
	supervise.ReserveThreads(threads)
	return lifecycle.DovecotReady{}
}

// NotStarted is the event of a Start that failed.
func NotStarted(err error) lifecycle.Event {
	return lifecycle.DovecotFailed{Reasons: []string{err.Error()}, ExitCode: lifecycle.ExitConfig}
}

// Forget takes note that Dovecot has ended and is to be started again.
func (s *Server) Forget() {
	s.master.Close()
	s.process = nil
}

// EndOrphans ends what a Dovecot that did not start has left: for one that finds its
// processes behind their sockets it is running already (2.3.19). They serve nobody
// yet, and get a second to end.
func (s *Server) EndOrphans(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.Children.EndAll(ctx)
}

// Stop ends Dovecot, and what it leaves behind, within the grace period, and returns its
// exit code.
func (s *Server) Stop(signals <-chan os.Signal) int {
	s.Stderr.DropRelays()
	s.awaitHearing()
	code := s.Children.Stop(s.process, signals, time.Duration(s.Settings.StopGrace), master.IsSession)
	s.master.Close()
	s.Log.Info("exited", "code", code)
	return code
}

// awaitHearing lets a master that is about to serve come to it: a SIGTERM in its
// first milliseconds is lost (seen on 2.4.1), and it would go on until it is killed.
func (s *Server) awaitHearing() {
	if s.hears {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	go func() {
		select {
		case <-s.process.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = s.master.Ready(ctx)
}
