package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Activity is what a process has done so far, all its threads together.
type Activity struct {
	Switches int           // context switches: each is a thread that was woken
	CPU      time.Duration // to the nanosecond, unlike /proc/PID/stat
}

// ActivityOf reads it.
func ActivityOf(pid int) (a Activity) { return activity(fmt.Sprintf("/proc/%d", pid)) }

func activity(dir string) (a Activity) {
	tasks, _ := filepath.Glob(dir + "/task/*")
	for _, task := range tasks {
		status, _ := os.ReadFile(task + "/status")
		a.Switches += parseSwitches(string(status))
		schedstat, _ := os.ReadFile(task + "/schedstat")
		var nanoseconds time.Duration // on a processor
		_, _ = fmt.Sscan(string(schedstat), (*int64)(&nanoseconds))
		a.CPU += nanoseconds
	}
	return a
}

func parseSwitches(status string) (n int) {
	for line := range strings.Lines(status) {
		if name, value, _ := strings.Cut(line, ":"); strings.HasSuffix(name, "voluntary_ctxt_switches") {
			count, _ := strconv.Atoi(strings.TrimSpace(value))
			n += count
		}
	}
	return n
}
