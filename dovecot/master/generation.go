package master

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ticks are clock ticks since the boot, 100 in a second: what the kernel counts
// the start of a process in.
type ticks uint64

func now() ticks {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return ticks(t.Nano() / 1e7)
}

// reloading takes note that a reload begins. One that Reload asked for began when SIGHUP
// was sent, because RELOADING=1 may arrive late; any other (doveadm reload) begins with
// RELOADING=1.
func (p *Process) reloading() {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.hungUp
	if at == 0 {
		at = now()
	}
	p.reloads, p.hungUp = append(p.reloads, at), 0
}

// hangingUp takes note that SIGHUP is sent.
func (p *Process) hangingUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hungUp = now()
}

// olderThanReload tells whether a process belongs to a generation before the last
// reload: it was started before that. A reload was carried out if a log process was
// started after it began; the first processes of the new generation are started
// before that one. An old log process stays as long as sessions do, so one
// alone means that there are none, and nobody's start has to be looked up.
func (p *Process) olderThanReload() func(pid int) bool {
	logs := children(p.pid, "log")
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

// lastReload is when the last reload began that was carried out by a certain time,
// and forgets those before.
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

// startOf is when a process was started; 0 if that cannot be known. In
// /proc/PID/stat it is field 22 (proc(5)), the twentieth after the name, which may
// hold blanks and parentheses.
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
