// Package server starts Dovecot on a published generation, reloads and stops it. It checks
// the outcome of each step and returns it as an event of package lifecycle.
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

// Server is one Dovecot. Its methods must not be called concurrently, except for Ended.
type Server struct {
	Log      *slog.Logger
	Settings settings.Settings
	Dovecot  *dovecot.Dovecot
	Children *supervise.Supervisor
	Store    *publish.Store
	Stderr   *supervise.Stderr

	master  *master.Process
	process *supervise.Process // nil until it is started
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
	running, err := master.New(cmd, s.Dovecot.Dialect, master.Silent(s.Dovecot.Program), runDir, log)
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
	s.master, s.process = running, process
	return nil
}

// Master is the master process that was started last; nil if none was.
func (s *Server) Master() *master.Process { return s.master }

// PID is the master's.
func (s *Server) PID() int { return s.process.PID() }

// Signal sends a signal to the master alone, because its group has every session too.
func (s *Server) Signal(sig os.Signal) {
	if s.process == nil {
		return
	}
	if err := s.process.Signal(sig); err != nil {
		s.Log.Warn("signal not passed on", "error", err)
	}
}

// Ended is closed when Dovecot has ended; before the start it is nil, which blocks.
func (s *Server) Ended() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.Done()
}

// ServiceDied gets the name of a service when one of its processes has died on which logins
// depend.
func (s *Server) ServiceDied() <-chan string {
	if s.master == nil {
		return nil
	}
	return s.master.ServiceDied()
}

const (
	// startPatience is how long Dovecot may take to serve, which is 50 to 70 ms on a
	// machine that does not swap.
	startPatience = time.Minute
	// threads is how many spare OS threads are created ahead, because under pids.max the
	// runtime aborts when it cannot create one. An idle process uses 8; at most 1 spare
	// was used.
	threads = 8
)

// AwaitReady waits until Dovecot serves. Before a judgement, which takes all processors, it
// waits twice as long again, at most 1 s, so that the first client is greeted first: Dovecot
// needs half as much time again for its first greeting.
func (s *Server) AwaitReady(ctx context.Context, judgedLater bool) lifecycle.Event {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("it has not said so for a minute"))
	defer cancel()
	begun := time.Now()
	if err := s.master.Ready(ctx); errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.Log.Error("Dovecot does not serve", "error", err)
		return lifecycle.DovecotFailed{ExitCode: 1}
	} else if err != nil {
		return nil // Dovecot has ended, or the container stops
	}
	if judgedLater {
		supervise.Sleep(ctx, min(2*time.Since(begun), time.Second))
	}
	supervise.ReserveThreads(threads)
	return lifecycle.DovecotReady{}
}

// Forget releases an ended master before the next Start.
func (s *Server) Forget() {
	s.master.Close()
	s.process = nil
}

// EndOrphans ends the processes that a failed start has left, within a second, because a
// new Dovecot that reaches them over their sockets refuses to start (2.3.19). They serve
// nobody yet.
func (s *Server) EndOrphans(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.Children.EndAll(ctx)
}

// Stop ends Dovecot and every process it leaves behind within the grace period, and returns
// Dovecot's exit code.
func (s *Server) Stop(signals <-chan os.Signal) int {
	s.Stderr.DropRelays()
	s.awaitSignalHandling()
	code := s.Children.Stop(s.process, signals, time.Duration(s.Settings.StopGrace), master.IsSession)
	s.master.Close()
	s.Log.Info("exited", "code", code)
	return code
}

// awaitSignalHandling waits until a starting master handles signals, because a SIGTERM in its first
// milliseconds is lost (seen on 2.4.1) and the stop would last the whole grace period.
func (s *Server) awaitSignalHandling() {
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
