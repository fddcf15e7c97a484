package supervise

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pollEvery paces the questions for which the kernel sends no event: is
	// this group empty, is no child left.
	pollEvery = 5 * time.Millisecond
	// killWait bounds the wait for what SIGKILL has hit: a process that hangs
	// in a dead file system does not end.
	killWait = 2 * time.Second
)

// Run starts cmd in a process group of its own and waits for it. The group ends
// with it: when cmd or ctx ends, every process left in it is killed and reaped.
// If ctx ended first the error wraps its cause, otherwise it is the
// *exec.ExitError of cmd. Output may go to a buffer: a process that left the
// group and holds the pipe does not keep Run waiting.
func (s *Supervisor) Run(ctx context.Context, cmd *exec.Cmd) error {
	if ctx.Err() != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, context.Cause(ctx))
	}
	p, err := s.start(cmd, true)
	if err != nil {
		return err
	}
	err = p.outcome(ctx)
	s.awaitEmpty(p.PID())
	if err != nil {
		return fmt.Errorf("running %s: %w", cmd.Path, err)
	}
	return nil
}

func (p *Process) outcome(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.Signal(unix.SIGKILL) // the group follows
		<-p.done
		return context.Cause(ctx)
	}
	// Whoever still held the pipe was not cmd, and cmd did well.
	if errors.Is(p.err, exec.ErrWaitDelay) {
		return nil
	}
	return p.err
}

// awaitEmpty returns when the killed members of a group are reaped. Signal 0
// reaches zombies too, and harms nobody should the number have a new owner.
func (s *Supervisor) awaitEmpty(pgid int) {
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	if !poll(ctx, func() bool { return unix.Kill(-pgid, 0) != nil }) {
		s.log.Warn("killed processes do not end", "group", pgid)
	}
}

// poll asks until done says yes or ctx ends.
func poll(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return done()
		case <-tick.C:
		}
	}
	return true
}
