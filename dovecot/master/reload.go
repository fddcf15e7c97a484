package master

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pidgeon/supervise"
)

// Refused means that the master did not carry a reload out, and goes on with the previous
// configuration. Partial means that it did so only in part (a port was taken, for example).
type Refused struct {
	Complaints []string
	Partial    bool
}

func (r *Refused) Error() string {
	what := "Dovecot refused the reload"
	if r.Partial {
		what = "Dovecot carried the reload out in part"
	}
	if len(r.Complaints) == 0 {
		return what + " without a word"
	}
	return what + ": " + strings.Join(r.Complaints, "; ")
}

// confirmation is how long a reload may take. A refused one can hang for 10 s in
// the master (2.3.19 and 2.4.1, when no config process is up) before it says so.
const confirmation = 15 * time.Second

// Reload sends SIGHUP through hup and waits for the outcome: nil, or *Refused. It must not be
// called before Ready (a SIGHUP in the first 30 ms kills the master), nor twice at once.
//
// READY=1 follows a refused reload too. A successful one shows by the log process, which each
// reload replaces (2.3.19, 2.4.1; anvil stays, config starts on demand).
func (p *Process) Reload(ctx context.Context, hup func() error) error {
	ctx, cancel := context.WithTimeout(ctx, confirmation)
	defer cancel()
	p.complaints() // those about reloads of other programs are dropped
	for range len(p.states) {
		<-p.states
	}
	before, authenticators := Children(p.pid, ""), Children(p.pid, "auth")
	p.noteHangUp()
	if err := hup(); err != nil {
		return fmt.Errorf("signalling Dovecot: %w", err)
	}
	if err := p.awaitReload(ctx, before); err != nil {
		return err
	}
	replaced := p.logReplaced(ctx, before)
	if replaced {
		p.endAuth(authenticators)
		supervise.Sleep(ctx, complaintDelay)
	}
	if complaints := p.complaints(); !replaced || len(complaints) > 0 {
		return &Refused{complaints, replaced}
	}
	return nil
}

// awaitReload waits until the master has handled SIGHUP. A silent one has then started
// another log process, or complained, as it does of each reload that it refuses.
func (p *Process) awaitReload(ctx context.Context, before []int) error {
	if p.silent {
		return p.awaitSign(ctx, "reload", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.complained) > 0 || hasNewLog(p.pid, before)
		})
	}
	for _, state := range []string{"RELOADING=1", "READY=1"} {
		if err := p.await(ctx, state); err != nil {
			return err
		}
	}
	return nil
}

// complaintDelay is how much later than READY=1 a complaint may arrive, because it passes through
// the log process.
const complaintDelay = 50 * time.Millisecond

// logReplaced waits for a log process that is none of the children before. The master forks
// it before READY=1; the short wait is for its name in /proc, and for the line that says why
// there is none.
func (p *Process) logReplaced(ctx context.Context, before []int) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return p.awaitSign(ctx, "reload", func() bool { return hasNewLog(p.pid, before) }) == nil
}

// hasNewLog reports whether a master has a log process that is none of the children before.
func hasNewLog(master int, before []int) bool {
	return slices.ContainsFunc(Children(master, "log"), func(pid int) bool { return !slices.Contains(before, pid) })
}

// Children are a master's children of that name, or all of them, those of older
// generations that wait for their sessions to end included.
func Children(master int, name string) []int {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	var found []int
	for _, field := range strings.Fields(string(children)) {
		comm, _ := os.ReadFile("/proc/" + field + "/comm")
		if pid, err := strconv.Atoi(field); err == nil && (name == "" || strings.TrimSpace(string(comm)) == name) {
			found = append(found, pid)
		}
	}
	return found
}

// endAuth ends the auth processes that a reload has replaced. A client that was
// connected and not logged in yet is still served by an old login process, which
// asks the old auth, but hands the client over to a new session process, which asks
// the new auth, which knows nothing of it: the login fails ("Master requested auth
// for nonexistent client", 2.3.19, 2.4.1). When the old auth ends, the old login
// process connects to the new one. Measured side by side with a reload every 1.5 s
// and clients that wait half a second before they log in: 144 of 477 logins failed
// without this and 10 of 481 with it (2.3.19; 148 of 685 and 8 of 487 on 2.4.1).
// Those are under way in the milliseconds before the old auth is gone.
//
// An LMTP connection that asks the old auth by itself, and not through package lookup, answers
// one recipient with 451 when that has gone, which a mail transfer agent tries again. The old
// auth would answer 550 for a user that was added, and for all when the files of its
// generation are gone: their mail would be returned (seen on 2.3.19 and 2.4.1).
func (p *Process) endAuth(replaced []int) {
	for _, pid := range Children(p.pid, "auth") { // still a child, still of that name
		if slices.Contains(replaced, pid) {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}

// ticks are clock ticks since the boot, 100 in a second, in which the kernel counts the start
// of a process.
type ticks uint64

func now() ticks {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return ticks(t.Nano() / 1e7)
}

// noteReload takes note that a reload begins. One that Reload asked for began when SIGHUP
// was sent, because RELOADING=1 may arrive late; any other (doveadm reload) begins with
// RELOADING=1.
func (p *Process) noteReload() {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.hungUp
	if at == 0 {
		at = now()
	}
	p.reloads, p.hungUp = append(p.reloads, at), 0
}

// noteHangUp takes note that SIGHUP is sent.
func (p *Process) noteHangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hungUp = now()
}

// olderThanReload reports whether a process was started before the last reload. A reload was
// carried out if a log process was started after it began. An old log process stays as long
// as sessions do, so if there is only one, no process is older.
func (p *Process) olderThanReload() func(pid int) bool {
	logs := Children(p.pid, "log")
	newest := ticks(0)
	for _, pid := range logs {
		newest = max(newest, startOf(pid))
	}
	begun := p.lastReload(newest)
	if len(logs) < 2 || begun == 0 {
		return func(int) bool { return false }
	}
	return func(pid int) bool {
		started := startOf(pid)
		return started != 0 && started < begun
	}
}

// lastReload is the beginning of the last reload that was carried out by a certain time. It
// drops earlier ones.
func (p *Process) lastReload(by ticks) ticks {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.reloads) > 1 && p.reloads[1] <= by {
		p.reloads = p.reloads[1:]
	}
	if len(p.reloads) == 0 || p.reloads[0] > by {
		return 0
	}
	return p.reloads[0]
}

// startOf is the start time of a process, 0 if unknown: field 22 of /proc/PID/stat (proc(5)),
// the twentieth after the name, which may contain blanks and parentheses.
func startOf(pid int) ticks {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0
	}
	started, _ := strconv.ParseUint(string(fields[19]), 10, 64)
	return ticks(started)
}
