// Package supervise is what PID 1 owes its container: it starts children and
// keeps their exit statuses, passes signals on, reaps orphans, and leaves
// nothing running when it stops. Which child that is, and what its signals
// mean, is left to others.
//
// Every child of the program must be started here: a plain exec.Cmd.Run beside
// a Supervisor can lose its exit status to the reaping. One Supervisor per
// program.
package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Supervisor is the one owner of wait in the program.
type Supervisor struct {
	log *slog.Logger

	// starting is held for reading from before a fork until the PID is
	// registered, and for writing while a PID is judged an orphan: a child that
	// ends before its registration is not mistaken for one.
	starting sync.RWMutex
	owned    sync.Map // PID → *Process

	wake    chan os.Signal // SIGCHLD, or a nudge from the owner of a child
	quit    chan struct{}
	stopped chan struct{}
}

// New becomes the reaper: as PID 1 by nature, otherwise as child subreaper, so
// that orphans come to us instead of to the init above. It starts the reaping,
// which Close ends.
func New(log *slog.Logger) (*Supervisor, error) {
	if err := becomeReaper(); err != nil {
		return nil, err
	}
	s := &Supervisor{
		log:     log,
		wake:    make(chan os.Signal, 1),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	signal.Notify(s.wake, unix.SIGCHLD)
	go s.reap()
	return s, nil
}

// Close stops the reaping and waits for it. A process that still runs keeps its
// Done; EndAll comes first where none may be left.
func (s *Supervisor) Close() {
	signal.Stop(s.wake)
	close(s.quit)
	<-s.stopped
}

func becomeReaper() error {
	if isInit() {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming child subreaper: %w", err)
	}
	return nil
}

func isInit() bool { return os.Getpid() == 1 }
