package supervise

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shortenedGrace is what a further stop signal leaves of the grace period.
	shortenedGrace = time.Second
	// slowParent is how long a main child may wait for its own children before we
	// end them. Dovecot's master takes 1.1 s (2.3) or 15 ms (2.4), but waits for
	// 5 s when it is stopped while a child is about to greet another that has
	// ended already.
	slowParent = 1500 * time.Millisecond
	// restGrace is how long those may take to end that are not the first: nobody
	// is served by them any more. A login process of Dovecot that was about to
	// greet auth when that ended would wait for 5 s and ignore SIGTERM. With Dovecot as
	// PID 1 they get no time at all.
	restGrace = 500 * time.Millisecond
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
		return startExitCode(err)
	}
	limit := &stopTimer{grace: grace}
	s.forward(p, signals, limit)
	s.endRest(signals, limit, nil)
	return p.ExitCode()
}

// Stop asks p to end and returns its exit code. The rules are those of
// Foreground: what has not ended within the grace period is killed, each further
// stop signal shortens the wait, and nothing is left behind. Of what p leaves
// behind, those whose name first accepts end before the others, which may have
// lines of them to log.
func (s *Supervisor) Stop(p *Process, signals <-chan os.Signal, grace time.Duration, first func(name string) bool) int {
	limit := &stopTimer{grace: grace}
	limit.begin()
	s.send(p, unix.SIGTERM)
	var help sync.WaitGroup
	help.Go(func() { s.endBelow(p, first) })
	s.forward(p, signals, limit)
	help.Wait()
	s.endRest(signals, limit, first)
	return p.ExitCode()
}

func (s *Supervisor) forward(p *Process, signals <-chan os.Signal, limit *stopTimer) {
	pass := func(sig os.Signal) { s.send(p, sig) }
	limit.wait(p.Done(), signals, pass, func() { pass(unix.SIGKILL) })
}

func (s *Supervisor) send(p *Process, sig os.Signal) {
	if err := p.Signal(sig); err != nil {
		s.log.Warn("signal not passed on", "error", err)
	}
}

// endBelow ends the processes below p when p does not get them to end.
func (s *Supervisor) endBelow(p *Process, first func(name string) bool) {
	if closedWithin(p.Done(), slowParent) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), restGrace)
	defer cancel()
	s.endFirst(ctx, first)
	for _, d := range descendants() {
		if d.pid != p.PID() {
			_ = unix.Kill(d.pid, unix.SIGTERM)
		}
	}
}

// endRest ends what the main child left behind, and still listens: a stop
// signal shortens this wait too. Without first the rest has all of the grace period.
func (s *Supervisor) endRest(signals <-chan os.Signal, limit *stopTimer, first func(name string) bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	limit.begin()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rest := limit.grace
		if first != nil {
			s.endFirst(ctx, first)
			rest = restGrace
		}
		ctx, cancel := context.WithTimeout(ctx, rest)
		defer cancel()
		if asked, killed := s.EndAll(ctx); killed > 0 {
			s.log.Warn("processes killed", "asked", asked, "killed", killed)
		}
	}()
	limit.wait(ended, signals, func(os.Signal) {}, cancel)
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
	cmd.SysProcAttr = cmp.Or(cmd.SysProcAttr, &syscall.SysProcAttr{})
	cmd.SysProcAttr.Foreground = true
	cmd.SysProcAttr.Ctty = tty
}

// stopTimer is how long a stop may still take. It begins once, and from then on
// the time gets only shorter.
type stopTimer struct {
	grace time.Duration
	end   time.Time        // zero until it begins
	over  <-chan time.Time // receives at the end, and again after each later begin or hear
}

// wait passes signals on until done is closed, and calls expire when the time is over.
func (t *stopTimer) wait(done <-chan struct{}, signals <-chan os.Signal, pass func(os.Signal), expire func()) {
	for {
		select {
		case sig := <-signals:
			t.hear(sig)
			pass(sig)
		case <-t.over:
			expire()
		case <-done:
			return
		}
	}
}

// hear begins at the first stop signal and shortens at each further one.
func (t *stopTimer) hear(sig os.Signal) {
	switch {
	case !IsStop(sig):
	case t.end.IsZero():
		t.begin()
	default:
		t.limit(shortenedGrace)
	}
}

func (t *stopTimer) begin() { t.limit(t.grace) }

// limit sets the timer even when the end has passed: whoever waits next hears
// of it at once.
func (t *stopTimer) limit(d time.Duration) {
	if end := time.Now().Add(d); t.end.IsZero() || end.Before(t.end) {
		t.end = end
	}
	t.over = time.After(time.Until(t.end))
}
