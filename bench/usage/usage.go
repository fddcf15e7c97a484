// Package usage reads from /proc what the processes of one server take. A server
// is all processes of a PID namespace, so others of the same name on this machine
// never count.
package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Server is the processes of one PID namespace.
type Server struct {
	proc      string
	namespace string
}

// Of is the server that the process pid belongs to.
func Of(pid int) (Server, error) { return of("/proc", pid) }

func of(proc string, pid int) (Server, error) {
	namespace, err := os.Readlink(fmt.Sprintf("%s/%d/ns/pid", proc, pid))
	return Server{proc, namespace}, err
}

// PIDs are its processes, as they are numbered out here.
func (s Server) PIDs() []int {
	var pids []int
	spaces, _ := filepath.Glob(s.proc + "/[0-9]*/ns/pid")
	for _, space := range spaces {
		if namespace, _ := os.Readlink(space); namespace == s.namespace {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(space))))
			pids = append(pids, pid)
		}
	}
	return pids
}

// Memory is in KiB. PSS counts a page that n processes share as an n-th of a
// page in each, so it may be summed up.
type Memory struct{ RSS, PSS, Anonymous int }

// Memory of all processes together. One that ends meanwhile does not count.
func (s Server) Memory() Memory {
	var sum Memory
	for _, pid := range s.PIDs() {
		m := s.memory(pid)
		sum.RSS += m.RSS
		sum.PSS += m.PSS
		sum.Anonymous += m.Anonymous
	}
	return sum
}

// MemoryOf is that of one process.
func MemoryOf(pid int) Memory { return Server{proc: "/proc"}.memory(pid) }

func (s Server) memory(pid int) Memory {
	rollup, _ := os.ReadFile(fmt.Sprintf("%s/%d/smaps_rollup", s.proc, pid))
	return parseRollup(rollup)
}

// parseRollup reads lines like "Pss:   1234 kB".
func parseRollup(rollup []byte) (m Memory) {
	for line := range bytes.Lines(rollup) {
		fields := strings.Fields(string(line))
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		kib, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "Rss:":
			m.RSS = kib
		case "Pss:":
			m.PSS = kib
		case "Anonymous:":
			m.Anonymous = kib
		}
	}
	return m
}

// CPU is what all processes have used, those that have ended included: whoever
// waited for a process has its time added to "of children".
func (s Server) CPU() time.Duration {
	var ticks int
	for _, pid := range s.PIDs() {
		stat, _ := os.ReadFile(fmt.Sprintf("%s/%d/stat", s.proc, pid))
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
	tail := stat[strings.LastIndexByte(stat, ')')+1:]
	fields := strings.Fields(tail)
	if len(fields) < 15 {
		return 0
	}
	for _, field := range fields[11:15] {
		n, _ := strconv.Atoi(field)
		sum += n
	}
	return sum
}
