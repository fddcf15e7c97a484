package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outputDelay is how long output is still read after a child ended, when a
// process that outlived it holds the pipe open.
const outputDelay = 500 * time.Millisecond

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
	ownGroup(cmd)
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = outputDelay
	}
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
		return unknownCode
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

func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A session leader leads its group already; setpgid would be refused.
	if !cmd.SysProcAttr.Setsid {
		cmd.SysProcAttr.Setpgid = true
	}
}
