package supervise

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Foreground runs cmd as the main child of the container and returns its exit
// code. Each of the signals is passed on to it. A stop signal starts the grace
// period, after which cmd is killed; another one shortens the wait. What cmd
// leaves behind is ended within the rest of the grace period.
func (s *Supervisor) Foreground(cmd *exec.Cmd, signals <-chan os.Signal, grace time.Duration) int {
	giveTerminal(cmd)
	p, err := s.Start(cmd)
	if err != nil {
		s.log.Error("command not started", "error", err)
		return StartExitCode(err)
	}
	limit := newPatience(grace)
	defer limit.close()
	s.forward(p, signals, limit)
	s.endRest(signals, limit, nil)
	return p.ExitCode()
}

func (s *Supervisor) forward(p *Process, signals <-chan os.Signal, limit *patience) {
	for {
		select {
		case sig := <-signals:
			limit.hear(sig)
			s.send(p, sig)
		case <-limit.over():
			s.send(p, unix.SIGKILL)
		case <-p.Done():
			return
		}
	}
}

func (s *Supervisor) send(p *Process, sig os.Signal) {
	if err := p.Signal(sig); err != nil {
		s.log.Warn("signal not passed on", "error", err)
	}
}

// endRest ends what the main child left behind, and still listens: a stop
// signal shortens this wait too.
func (s *Supervisor) endRest(signals <-chan os.Signal, limit *patience, first func(name string) bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	limit.begin()
	ended := s.endInBackground(ctx, first)
	for {
		select {
		case sig := <-signals:
			limit.hear(sig)
		case <-limit.over():
			cancel()
		case <-ended:
			return
		}
	}
}

// slowParent is how long p may wait for its own children before we end them.
// Dovecot's master takes 1.1 s (2.3) or 15 ms (2.4), but waits for 5 s when it is
// stopped while a child is about to greet another that has ended already.
const slowParent = 1500 * time.Millisecond

// helpOut ends the processes below p when p does not get them to end.
func (s *Supervisor) helpOut(p *Process, first func(name string) bool) {
	select {
	case <-p.Done():
		return
	case <-time.After(slowParent):
	}
	ctx, cancel := context.WithTimeout(context.Background(), restPatience)
	defer cancel()
	if first != nil {
		s.endFirst(ctx, first)
	}
	for _, pid := range descendants() {
		if pid != p.PID() {
			_ = unix.Kill(pid, unix.SIGTERM)
		}
	}
}

// restPatience is how long those may take to end that are not the first: nobody
// is served by them any more. A login process of Dovecot that was about to greet
// auth when that ended would wait for 5 s, deaf to SIGTERM.
const restPatience = 2 * time.Second

func (s *Supervisor) endInBackground(ctx context.Context, first func(name string) bool) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if first != nil {
			s.endFirst(ctx, first)
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, restPatience)
			defer cancel()
		}
		if ended, killed := s.EndAll(ctx); killed > 0 {
			s.log.Warn("processes killed", "asked", ended, "killed", killed)
		}
	}()
	return done
}

// giveTerminal makes cmd the foreground group of the terminal it reads, as a
// shell would: ^C then reaches cmd alone and does not start our grace period
// behind the back of an interactive program. When we are in the background
// ourselves, the terminal is not ours to give.
func giveTerminal(cmd *exec.Cmd) {
	stdin, ok := cmd.Stdin.(*os.File)
	if !ok || stdin == nil {
		return
	}
	tty := int(stdin.Fd())
	if group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Foreground = true
	cmd.SysProcAttr.Ctty = tty
}

// Stop asks p to end and returns its exit code. The rules are those of
// Foreground: what has not ended within the grace period is killed, each further
// stop signal shortens the wait, and nothing is left behind. Of what p leaves
// behind, those whose name first accepts end before the others, which may have
// their last words to pass on.
func (s *Supervisor) Stop(p *Process, signals <-chan os.Signal, grace time.Duration, first func(name string) bool) int {
	limit := newPatience(grace)
	defer limit.close()
	limit.begin()
	s.send(p, unix.SIGTERM)
	var help sync.WaitGroup
	help.Go(func() { s.helpOut(p, first) })
	s.forward(p, signals, limit)
	help.Wait()
	s.endRest(signals, limit, first)
	return p.ExitCode()
}
