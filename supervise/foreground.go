package supervise

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shortenedGrace is what a further stop signal leaves of the grace period.
	shortenedGrace = time.Second
	// slowParent is how long a main child may wait for its own children before we
	// end them. Dovecot's master takes 15 ms where nobody is logged in (2.4.1); else it
	// sleeps for a second, so that who is left may notice (2.3.19, 2.4.1:
	// services_monitor_wait_and_kill), or 5 s when it is stopped while a child is
	// about to greet another that has ended already.
	slowParent = 100 * time.Millisecond
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
	s.endRest(signals, limit, func(string) bool { return false }, grace)
	return p.ExitCode()
}

// Stop asks p to end and returns its exit code. The rules are those of
// Foreground: what has not ended within the grace period is killed, each further
// stop signal shortens the wait, and nothing is left behind. Of what p leaves
// behind, those whose name first accepts end before the others, which may have
// lines of them to log. A p that waits for what we have ended has nothing left to do:
// it is killed, and its code is 0.
func (s *Supervisor) Stop(p *Process, signals <-chan os.Signal, grace time.Duration, first func(name string) bool) int {
	limit := &stopTimer{grace: grace}
	limit.begin()
	s.send(p, unix.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	var help sync.WaitGroup
	waits := false
	help.Go(func() { waits = s.endBelow(ctx, p, first) })
	s.forward(p, signals, limit)
	cancel()
	help.Wait()
	rest := restGrace
	if waits {
		rest = 0
	}
	s.endRest(signals, limit, first, rest)
	if code := p.ExitCode(); !waits || code != 128+int(unix.SIGKILL) { // it may have ended before it was killed
		return code
	}
	return 0
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

// endBelow ends all processes but p when p does not get them to end, and then p.
func (s *Supervisor) endBelow(ctx context.Context, p *Process, first func(name string) bool) (ended bool) {
	if closedWithin(p.Done(), slowParent) {
		return false
	}
	s.endFirst(ctx, first)
	if ctx.Err() != nil {
		return false
	}
	others := func() []process {
		return slices.DeleteFunc(descendants(), func(d process) bool { return d.pid == p.PID() })
	}
	signalEach(others(), unix.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, restGrace)
	defer cancel()
	poll(ctx, func() bool { return len(others()) == 0 })
	if closedWithin(p.Done(), slowParent) {
		return false
	}
	s.send(p, unix.SIGKILL)
	return true
}

// endRest ends what the main child left behind, those that first accepts before the
// others, which have so long; it still listens: a stop signal shortens this wait too.
func (s *Supervisor) endRest(signals <-chan os.Signal, limit *stopTimer, first func(name string) bool, rest time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	limit.begin()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.endFirst(ctx, first)
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

// limit sets the timer even when the end has passed, so that the next wait ends at once.
func (t *stopTimer) limit(d time.Duration) {
	if end := time.Now().Add(d); t.end.IsZero() || end.Before(t.end) {
		t.end = end
	}
	t.over = time.After(time.Until(t.end))
}
