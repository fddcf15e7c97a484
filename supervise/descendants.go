package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// descendants lists the live processes below us, zombies left out. It reads
// every /proc/PID/stat: the children files beside it need a kernel option, and
// skip entries while siblings end (proc(5)), which is just when they are asked.
func descendants() []int {
	children, ended := processTree()
	var live []int
	next := []int{os.Getpid()}
	for len(next) > 0 {
		parent := next[0]
		next = append(next[1:], children[parent]...)
		for _, pid := range children[parent] {
			if !ended[pid] {
				live = append(live, pid)
			}
		}
	}
	return live
}

func processTree() (children map[int][]int, ended map[int]bool) {
	children, ended = map[int][]int{}, map[int]bool{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		data, _ := os.ReadFile(stat) // gone meanwhile: no data, no process
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if state, parent, ok := parseStat(data); ok {
			children[parent] = append(children[parent], pid)
			ended[pid] = state == 'Z' || state == 'X'
		}
	}
	return children, ended
}

// parseStat reads "PID (NAME) STATE PARENT …". The name is the program's own
// choice and may hold blanks and parentheses: the last one counts.
func parseStat(data []byte) (state byte, parent int, ok bool) {
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return fields[0][0], parent, err == nil
}
