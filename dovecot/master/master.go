// Package master is the running Dovecot as seen from outside: what its master
// process notifies and logs, what comes of a reload, whether it greets, and whom it
// serves. It starts nothing and waits for no process, knows nothing of the
// configuration, and decides nothing: what follows is for its caller.
//
// Whom it serves is known to two: anvil, the one process that a reload keeps, has
// who is logged in (Process.CountSessions), and the kernel has who is connected,
// which is who takes a place from others (CountConnections). Both are asked over
// a socket and a file that cost milliseconds, `doveadm who` costs a process, and
// processes of their own are no sessions where they are used again.
package master

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Process is Dovecot's master process.
type Process struct {
	dialect string

	pid    int
	notify *net.UnixConn
	states chan string
	stderr *os.File      // its end of what logged reads, until it is started
	logged *os.File      // our end of its standard error
	lines  atomic.Int64  // that it has logged
	wakeAt atomic.Int64  // as many and busy gets a value; 0 for never
	busy   chan struct{} // of capacity 1
	closed sync.WaitGroup

	mu         sync.Mutex
	complained []string // error lines of the master itself, since last asked
	hungUp     ticks    // when SIGHUP was sent that it has not answered yet
	reloads    []ticks  // when they began, the last that was carried out first
}

// New prepares cmd, a master of that dialect in the foreground, for its start. It
// will notify through a socket in dir; what it logs goes to log, untouched.
func New(cmd *exec.Cmd, dialect, dir string, log io.Writer) (*Process, error) {
	socket := filepath.Join(dir, "notify")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a stale notification socket: %w", err)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("opening the notification socket: %w", err)
	}
	logged, stderr, err := os.Pipe()
	if err != nil {
		notify.Close()
		return nil, fmt.Errorf("opening a pipe for Dovecot's log: %w", err)
	}
	p := &Process{dialect: dialect, notify: notify, states: make(chan string, 16), stderr: stderr, logged: logged, busy: make(chan struct{}, 1)}
	// A file, not a pipe of os/exec: a session that outlives the master and keeps
	// it open must not keep Wait from returning.
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	p.closed.Go(p.listen)
	p.closed.Go(func() { p.readLog(log) })
	return p, nil
}

// Started tells the PID, and lets go of what only the master should hold.
func (p *Process) Started(pid int) {
	p.pid = pid
	p.stderr.Close()
}

// Close ends the reading of notifications and log, once all processes that
// could write are gone.
func (p *Process) Close() {
	p.stderr.Close()
	p.notify.Close()
	// What is still in the pipe is the last that Dovecot said.
	p.logged.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	p.closed.Wait()
	p.logged.Close()
}

// listen passes on what the master notifies: READY=1, RELOADING=1, STOPPING=1
// (sd_notify(3); sent by 2.3.19 and 2.4.1 alike).
func (p *Process) listen() {
	defer close(p.states)
	buffer := make([]byte, 4096)
	for {
		n, err := p.notify.Read(buffer)
		if err != nil {
			return
		}
		for state := range strings.Lines(string(buffer[:n])) {
			state = strings.TrimSpace(state)
			if state == "RELOADING=1" {
				p.reloading()
			}
			select {
			case p.states <- state:
			default: // nobody waits: reloads that somebody else asked for
			}
		}
	}
}

// await waits for a notification.
func (p *Process) await(ctx context.Context, state string) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Dovecot to say %s: %w", state, context.Cause(ctx))
		case got, ok := <-p.states:
			if !ok {
				return fmt.Errorf("waiting for Dovecot to say %s: it has ended", state)
			}
			if got == state {
				return nil
			}
		}
	}
}

// Ready waits until the master serves.
func (p *Process) Ready(ctx context.Context) error {
	return p.await(ctx, "READY=1")
}
