package dovecot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Master is Dovecot's master process as seen from outside: what it notifies and
// what it logs. Starting and waiting are for the caller.
type Master struct {
	dialect string

	cmd    *exec.Cmd
	pid    int
	notify *net.UnixConn
	states chan string
	logged *os.File      // our end of its standard error
	lines  atomic.Int64  // that it has logged
	wakeAt atomic.Int64  // as many and busy gets a value; 0 for never
	busy   chan struct{} // of capacity 1
	closed sync.WaitGroup

	mu        sync.Mutex
	complains []string // error lines of the master itself, since last asked
	hungUp    ticks    // when SIGHUP was sent that it has not answered yet
	reloads   []ticks  // when they began, the last that was carried out first
}

// NewMaster prepares a master that runs the configuration conf in the
// foreground. It notifies through a socket in dir; what it logs goes to log,
// untouched.
func (d *Dovecot) NewMaster(conf, dir string, log io.Writer) (*Master, error) {
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
	m := &Master{dialect: d.Dialect, notify: notify, states: make(chan string, 16), logged: logged, busy: make(chan struct{}, 1)}
	// A file, not a pipe of os/exec: a session that outlives the master and keeps
	// it open must not keep Wait from returning.
	m.cmd = exec.Command(d.path, "-F", "-c", conf)
	m.cmd.Stdout, m.cmd.Stderr = stderr, stderr
	m.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	m.closed.Go(m.listen)
	m.closed.Go(func() { m.follow(log) })
	return m, nil
}

// Cmd is the command to start.
func (m *Master) Cmd() *exec.Cmd { return m.cmd }

// Started tells the PID, and lets go of what only the master should hold.
func (m *Master) Started(pid int) {
	m.pid = pid
	m.cmd.Stderr.(*os.File).Close()
}

// Close ends the reading of notifications and log, once all processes that
// could write are gone.
func (m *Master) Close() {
	m.cmd.Stderr.(*os.File).Close()
	m.notify.Close()
	// What is still in the pipe is the last that Dovecot said.
	m.logged.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	m.closed.Wait()
	m.logged.Close()
}

// listen passes on what the master notifies: READY=1, RELOADING=1, STOPPING=1
// (sd_notify(3); sent by 2.3.19 and 2.4.1 alike).
func (m *Master) listen() {
	defer close(m.states)
	buffer := make([]byte, 4096)
	for {
		n, err := m.notify.Read(buffer)
		if err != nil {
			return
		}
		for state := range strings.Lines(string(buffer[:n])) {
			state = strings.TrimSpace(state)
			if state == "RELOADING=1" {
				m.reloading()
			}
			select {
			case m.states <- state:
			default: // nobody waits: reloads that somebody else asked for
			}
		}
	}
}

// "Nov 23 15:20:48 master: Error: …"
var masterComplains = regexp.MustCompile(`\bmaster: (?:Error|Fatal|Panic): (.*)`)

// "service(imap-login): child 372 returned error 89 (Fatal failure)" says nothing of
// a reload: a process that starts while one goes on may find the config service
// gone, and is started again (seen on 2.4.1 with many logins).
var childEnded = regexp.MustCompile(`^service\(.*\): child \d+ (?:returned error|killed with signal) `)

func (m *Master) follow(log io.Writer) {
	lines := bufio.NewReaderSize(m.logged, 64<<10)
	for {
		line, err := lines.ReadSlice('\n') // a longer line comes in parts, and passes all the same
		log.Write(line)
		m.wake(m.lines.Add(1))
		if found := masterComplains.FindSubmatch(line); found != nil && !childEnded.Match(found[1]) {
			m.mu.Lock()
			m.complains = append(m.complains, string(found[1]))
			m.mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// complaints returns the master's error lines since the last call.
func (m *Master) complaints() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	complains := m.complains
	m.complains = nil
	return complains
}

// await waits for a notification.
func (m *Master) await(ctx context.Context, state string) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Dovecot to say %s: %w", state, context.Cause(ctx))
		case got, ok := <-m.states:
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
func (m *Master) Ready(ctx context.Context) error {
	return m.await(ctx, "READY=1")
}
