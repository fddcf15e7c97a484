// Package master observes the running Dovecot: the notifications and the log of its master
// process, the outcome of a reload, the greetings of its listeners, and its sessions. It
// starts no process, waits for none, and does not know the configuration.
//
// Process.CountSessions asks anvil, the one process that a reload keeps, for the clients that
// are logged in; CountConnections asks the kernel for all that are connected, because each
// takes a place. Both take milliseconds, while `doveadm who` takes a process. The number of
// session processes is no count of sessions, because processes are used again.
package master

import (
	"bufio"
	"bytes"
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

	"golang.org/x/sys/unix"

	"pidgeon/lazyregexp"
	"pidgeon/supervise"
)

// Process is Dovecot's master process.
type Process struct {
	dialect string
	silent  bool // it sends no notifications

	pid    int
	notify *net.UnixConn
	states chan string
	ready  chan struct{} // closed when it has said READY=1
	stderr *os.File      // its end of what logged reads, until it is started
	logged *os.File      // our end of its standard error
	lines  atomic.Int64  // that it has logged
	wakeAt atomic.Int64  // the number of lines at which busy gets a value; 0 is never
	busy   chan struct{} // of capacity 1
	died   chan string
	source []byte // the address of probes
	closed sync.WaitGroup

	mu         sync.Mutex
	complained []string // error lines of the master itself, since last asked
	hungUp     ticks    // when SIGHUP was sent that it has not answered yet
	reloads    []ticks  // when they began, the last that was carried out first
}

// Silent reports whether a master of that program sends no notifications: one built without
// systemd, as Alpine's is, and before 2.3.15, where Debian's 2.3.13 says READY=1 at the start
// alone.
func Silent(program string) bool {
	data, err := os.ReadFile(program)
	return err == nil && !bytes.Contains(data, []byte("RELOADING=1"))
}

// New prepares cmd, a master of that dialect in the foreground, for its start. It will notify
// through a socket in dir unless it is silent; what it logs goes to log, untouched.
func New(cmd *exec.Cmd, dialect string, silent bool, dir string, log io.Writer) (*Process, error) {
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
	p := &Process{dialect: dialect, silent: silent, notify: notify, states: make(chan string, 16), ready: make(chan struct{}), stderr: stderr, logged: logged, busy: make(chan struct{}, 1), died: make(chan string, 16), source: newSource()}
	// A file, not a pipe of os/exec: a session that outlives the master and keeps
	// it open must not keep Wait from returning.
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	p.closed.Go(p.listen)
	p.closed.Go(func() { p.readLog(log) })
	return p, nil
}

// Started sets the PID, and closes the files that only the master should have.
func (p *Process) Started(pid int) {
	p.pid = pid
	p.stderr.Close()
}

// Close ends the reading of notifications and log, once all processes that
// could write are gone.
func (p *Process) Close() {
	p.stderr.Close()
	p.notify.Close()
	p.drain()
	p.logged.SetReadDeadline(time.Now())
	p.closed.Wait()
	p.logged.Close()
}

// drainPatience is how long the reader of the log may take for its last lines.
const drainPatience = 2 * time.Second

// drain waits until the pipe is empty. It cannot wait for the end of the pipe, because a
// session may outlive the master.
func (p *Process) drain() {
	conn, err := p.logged.SyscallConn()
	if err != nil {
		return
	}
	for end := time.Now().Add(drainPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		left := 0
		if err := conn.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); err != nil || left == 0 {
			return
		}
	}
}

// listen passes on the notifications of the master: READY=1, RELOADING=1, STOPPING=1
// (sd_notify(3); the same in 2.3.19 and 2.4.1).
func (p *Process) listen() {
	defer close(p.states)
	serves := sync.OnceFunc(func() { close(p.ready) })
	buffer := make([]byte, 4096)
	for {
		n, err := p.notify.Read(buffer)
		if err != nil {
			return
		}
		for state := range strings.Lines(string(buffer[:n])) {
			state = strings.TrimSpace(state)
			switch state {
			case "READY=1":
				serves()
			case "RELOADING=1":
				p.noteReload()
			}
			select {
			case p.states <- state:
			default: // nobody waits, because another program has requested the reload
			}
		}
	}
}

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

// awaitSign waits for a sign that a silent master gives in the place of a notification.
func (p *Process) awaitSign(ctx context.Context, what string, shows func() bool) error {
	for !shows() {
		if supervise.Sleep(ctx, 5*time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("waiting for Dovecot to %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

// Ready waits until the master serves and hears signals, and returns at once if it has done
// so before. A silent one then starts the log process.
func (p *Process) Ready(ctx context.Context) error {
	if p.silent {
		return p.awaitSign(ctx, "start", func() bool { return len(Children(p.pid, "log")) > 0 })
	}
	select {
	case <-p.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for Dovecot to say READY=1: %w", context.Cause(ctx))
	}
}

// "Nov 23 15:20:48 master: Error: …", or with another log_timestamp of digits. It counts
// at the beginning alone: Dovecot logs the names that users try, which may be anything.
var masterComplains = lazyregexp.New(timestamp + `master: (?:Error|Fatal|Panic): (.*)`)

const timestamp = `^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} |[\d][\dTZ:., +-]*)?`

var masterReloads = lazyregexp.New(timestamp + `master: Warning: SIGHUP received`)

// "Nov 23 15:20:48 anvil: Fatal: master: service(anvil): child 35 killed with signal 9" is
// the master's too; without a log process it begins "master: Error: service(log): ".
var processDied = lazyregexp.New(timestamp + `(?:[\w-]+: (?:Error|Fatal): master|master: (?:Error|Fatal)): (?:service\([\w-]+\): )*service\(([\w-]+)\): (?:child \d+ (?:returned error|killed with signal)|command startup failed)`)

// maxComplaints bounds what is kept between two reloads.
const maxComplaints = 20

// "service(imap-login): child 372 returned error 89 (Fatal failure)" says nothing of
// a reload: a process that starts while one goes on may find the config service
// gone, and is started again (seen on 2.4.1 with many logins).
var childEnded = lazyregexp.New(`^service\(.*\): child \d+ (?:returned error|killed with signal) `)

// readLog passes on what Dovecot logs, and takes note of what the master complains of.
func (p *Process) readLog(log io.Writer) {
	lines := bufio.NewReaderSize(p.logged, 64<<10)
	for whole := true; ; { // what came so far
		line, err := lines.ReadSlice('\n') // a longer line comes in parts, and passes all the same
		if whole && p.ofProbe(line) {
			continue
		}
		if whole {
			p.note(line)
		}
		if len(line) > 0 {
			whole = line[len(line)-1] == '\n'
		}
		log.Write(line) // last, because a reader of the log may act on it at once
		p.wake(p.lines.Add(1))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if !whole { // Dovecot was killed in the middle of it
				log.Write([]byte("\n"))
			}
			return
		}
	}
}

// note takes note of what the master says in a line: that it complains, or that a process
// has died.
func (p *Process) note(line []byte) {
	if found := masterComplains.FindSubmatch(line); found != nil && !childEnded.Match(found[1]) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.complained) < maxComplaints {
			p.complained = append(p.complained, string(found[1]))
		}
	}
	if p.silent && masterReloads.Match(line) {
		p.noteReload()
	}
	if found := processDied.FindSubmatch(line); found != nil && !IsSession(string(found[1])) {
		select {
		case p.died <- string(found[1]):
		default: // not taken yet: those before it are enough
		}
	}
}

// ServiceDied gets the name of a service when one of its processes has failed, unless that
// served a session.
func (p *Process) ServiceDied() <-chan string { return p.died }

// complaints returns the master's error lines since the last call.
func (p *Process) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	complaints := p.complained
	p.complained = nil
	return complaints
}

// LinesLogged is how many lines Dovecot has logged. A login logs one at least, so it
// bounds the number of logins between two looks, unless an override silences them.
func (p *Process) LinesLogged() int64 { return p.lines.Load() }

// AlertAt has LinesReached get a value when LinesLogged reaches a number; never, when that is
// 0. It replaces what it was told before.
func (p *Process) AlertAt(lines int64) {
	p.wakeAt.Store(lines)
	p.wake(p.lines.Load())
}

// LinesReached gets a value as AlertAt was told.
func (p *Process) LinesReached() <-chan struct{} { return p.busy }

func (p *Process) wake(lines int64) {
	at := p.wakeAt.Load()
	if at == 0 || lines < at || !p.wakeAt.CompareAndSwap(at, 0) {
		return
	}
	select {
	case p.busy <- struct{}{}:
	default: // not taken yet: one is enough
	}
}
