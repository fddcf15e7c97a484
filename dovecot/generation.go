package dovecot

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

// reloading takes note that a reload begins. One of ours began with the SIGHUP, and
// the notification may come late; whose it was else (doveadm reload), nobody knows.
func (m *Master) reloading() {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.hungUp
	if at == 0 {
		at = now()
	}
	m.reloads, m.hungUp = append(m.reloads, at), 0
}

// hangingUp takes note that SIGHUP is sent.
func (m *Master) hangingUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hungUp = now()
}

// olderThanReload tells whether a process belongs to a generation before the last
// reload: it was started before that. A reload was carried out if a log process was
// started after it began; the first processes of the new generation are started
// before that one. An old log process stays as long as sessions do, so one
// alone means that there are none, and nobody's start has to be looked up.
func (m *Master) olderThanReload() func(pid int) bool {
	logs := children(m.pid, "log")
	newest := ticks(0)
	for _, pid := range logs {
		newest = max(newest, startOf(pid))
	}
	begun := m.lastReload(newest)
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
func (m *Master) lastReload(by ticks) ticks {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.reloads) > 1 && m.reloads[1] <= by {
		m.reloads = m.reloads[1:]
	}
	if len(m.reloads) == 0 || m.reloads[0] > by {
		return 0
	}
	return m.reloads[0]
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
