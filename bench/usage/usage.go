// Package usage reads from /proc what processes take.
package usage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Memory is in KiB. PSS counts a page that n processes share as an n-th of a
// page in each, so it may be summed up.
type Memory struct{ RSS, PSS, Anonymous int }

// MemoryOf is that of processes together. One that has ended does not count.
func MemoryOf(pids ...int) (sum Memory) {
	for _, pid := range pids {
		rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		m := parseRollup(rollup)
		sum.RSS += m.RSS
		sum.PSS += m.PSS
		sum.Anonymous += m.Anonymous
	}
	return sum
}

// parseRollup reads lines like "Pss:   1234 kB".
func parseRollup(rollup []byte) (m Memory) {
	fields := map[string]*int{"Rss:": &m.RSS, "Pss:": &m.PSS, "Anonymous:": &m.Anonymous}
	for line := range bytes.Lines(rollup) {
		name, value, _ := strings.Cut(string(line), " ")
		if field := fields[name]; field != nil {
			_, _ = fmt.Sscan(value, field)
		}
	}
	return m
}

// CPUOf is what processes have used, and their children that have ended: whoever
// waited for a process has its time added to "of children".
func CPUOf(pids ...int) time.Duration {
	var ticks int
	for _, pid := range pids {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		ticks += parseTicks(string(stat))
	}
	return time.Duration(ticks) * tick
}

// tick is that of the kernel's interface, 100 Hz on every architecture of
// Debian's.
const tick = 10 * time.Millisecond

// parseTicks adds up utime, stime, cutime and cstime, fields 14 to 17 of "PID
// (NAME) STATE …". The name may hold anything.
func parseTicks(stat string) (sum int) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	for _, field := range fields[min(11, len(fields)):min(15, len(fields))] {
		n, _ := strconv.Atoi(field)
		sum += n
	}
	return sum
}
