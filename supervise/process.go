package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// outputDelay is how long output is still read after a child ended, when a
	// process that outlived it holds the pipe open.
	outputDelay = 500 * time.Millisecond
	// cleanUpTime is how long the leader of a session may take to end by itself.
	cleanUpTime = 500 * time.Millisecond
)

// Process is a child that was started and is waited for.
type Process struct {
	cmd   *exec.Cmd
	whole bool // the group ends with its leader
	done  chan struct{}
	err   error // what Wait said; valid after done
}

// Start starts cmd in a process group of its own, so that a key on the terminal
// (INT, QUIT) reaches it only through us. Its standard files should be files or
// nil: through a pipe that os/exec copies, output that comes more than half a
// second after the end is lost.
func (s *Supervisor) Start(cmd *exec.Cmd) (*Process, error) {
	return s.start(cmd, false)
}

func (s *Supervisor) start(cmd *exec.Cmd, whole bool) (*Process, error) {
	cmd.SysProcAttr = cmp.Or(cmd.SysProcAttr, &syscall.SysProcAttr{})
	// A session leader leads its group already; setpgid would be refused.
	cmd.SysProcAttr.Setpgid = !cmd.SysProcAttr.Setsid
	cmd.WaitDelay = cmp.Or(cmd.WaitDelay, outputDelay)
	p := &Process{cmd: cmd, whole: whole, done: make(chan struct{})}
	if err := s.startOwned(p); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	go s.await(p)
	return p, nil
}

func (s *Supervisor) startOwned(p *Process) error {
	s.starting.RLock()
	defer s.starting.RUnlock()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	s.owned.Store(p.PID(), p)
	return nil
}

// await first waits without reaping: as long as the ended leader keeps its
// number, its group can be killed without hitting a stranger.
func (s *Supervisor) await(p *Process) {
	_, _ = endedChild(unix.P_PID, p.PID(), 0)
	if p.whole {
		_ = unix.Kill(-p.PID(), unix.SIGKILL)
	}
	p.err = p.cmd.Wait()
	// Compare: the number may already belong to a newer child of ours.
	s.owned.CompareAndDelete(p.PID(), p)
	s.nudge()
	close(p.done)
}

// PID is the number of the process. It can be given away once Done is closed.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its status is known.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is what the process exited with, 128+n if signal n ended it. Valid
// after Done.
func (p *Process) ExitCode() int {
	if p.cmd.ProcessState == nil {
		return 255 // someone else waited for it
	}
	return codeOf(unix.WaitStatus(p.cmd.ProcessState.Sys().(syscall.WaitStatus)))
}

// Signal sends sig to this process alone, never to its group: the children of
// a master hear of it from the master. A process that has ended is no error.
func (p *Process) Signal(sig os.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %v to process %d: %w", sig, p.PID(), err)
	}
	return nil
}

// Run starts cmd in a process group of its own and waits for it. The group ends
// with it: when cmd or ctx ends, every process left in it is killed and reaped.
// If ctx ended first the error wraps its cause, otherwise it is the
// *exec.ExitError of cmd. Output may go to a buffer: a process that left the
// group and holds the pipe does not keep Run waiting.
//
// A cmd with Setsid may start groups of its own. When ctx ends it gets SIGTERM first,
// and a moment to end them and to clean up; at its end all of its session is killed.
func (s *Supervisor) Run(ctx context.Context, cmd *exec.Cmd) error {
	if ctx.Err() != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, context.Cause(ctx))
	}
	p, err := s.start(cmd, true)
	if err != nil {
		return err
	}
	err = p.outcome(ctx)
	// Signal 0 reaches zombies too, and harms nobody should the number have a new
	// owner.
	s.awaitKilled(func() bool {
		return unix.Kill(-p.PID(), 0) != nil && !(p.leadsSession() && killSession(p.PID()))
	})
	if err != nil {
		return fmt.Errorf("running %s: %w", cmd.Path, err)
	}
	return nil
}

func (p *Process) outcome(ctx context.Context) error {
	select {
	case <-p.done:
		// Whoever still held the pipe was not cmd, and cmd did well.
		if errors.Is(p.err, exec.ErrWaitDelay) {
			return nil
		}
		return p.err
	case <-ctx.Done():
	}
	if p.leadsSession() {
		_ = p.Signal(unix.SIGTERM)
		closedWithin(p.done, cleanUpTime)
	}
	_ = p.Signal(unix.SIGKILL) // the group follows
	<-p.done
	return context.Cause(ctx)
}

func (p *Process) leadsSession() bool { return p.cmd.SysProcAttr.Setsid }

// killSession reports whether there was anybody to kill.
func killSession(session int) (found bool) {
	for _, p := range processes() {
		if p.session == session { // zombies too, until they are reaped
			found = true
			_ = unix.Kill(p.pid, unix.SIGKILL)
		}
	}
	return found
}

// startExitCode is the exit code for a command that could not be started, as
// shells and docker run give it: 127 if it was not found, 126 if it was found
// but cannot be executed.
func startExitCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

func codeOf(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
