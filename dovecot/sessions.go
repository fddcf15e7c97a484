package dovecot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
)

// Sessions are those of one protocol that are logged in.
type Sessions struct {
	All   int
	Older int // of these, those that generations before the last reload serve
}

// CountSessions counts the sessions by protocol, across generations: anvil alone
// is kept by a reload. A process is not a session (measured with 200 sessions: in
// performance mode 204 imap processes on both dialects, as some are started
// ahead); anvil had 200, before and after a reload, and the right number at once
// when some ended.
//
// Connections that have not logged in are not among them, and hold places too:
// see CountConnections.
func CountSessions(ctx context.Context, dialect, baseDir string, master int) (map[string]Sessions, error) {
	isOlder := olderThanReload(master)
	counts := map[string]Sessions{}
	err := eachLogin(ctx, dialect, baseDir, func(l logins) {
		c := counts[l.protocol]
		c.All += l.n
		if isOlder(l.pid) {
			c.Older += l.n
		}
		counts[l.protocol] = c
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// olderThanReload tells whether a process belongs to a generation before the last
// reload: it was started before the log process that the reload has started. An
// old log process stays as long as such processes do, so one alone means that
// there are none, and nobody's start has to be looked up.
func olderThanReload(master int) func(pid int) bool {
	logs := logProcesses(master)
	newest := uint64(0)
	for _, pid := range logs {
		newest = max(newest, startOf(pid))
	}
	if len(logs) < 2 {
		return func(int) bool { return false }
	}
	return func(pid int) bool {
		started := startOf(pid)
		return started != 0 && started < newest
	}
}

// startOf is when a process was started, in clock ticks since the boot; 0 if that
// cannot be known. In /proc/PID/stat it is field 22 (proc(5)), the twentieth after
// the name, which may hold blanks and parentheses.
func startOf(pid int) uint64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0
	}
	started, _ := strconv.ParseUint(string(fields[19]), 10, 64)
	return started
}
