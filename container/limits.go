package container

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// None is a limit that is not set.
const None = 0

// Limits are what one container gets; None where there is no limit.
type Limits struct {
	CPUs      int   // the cgroup's quota counts (Go looks at it)
	Files     int   // open files of a process, hard (ulimit -Hn)
	Processes int   // of the cgroup (pids.max), threads included, or of the user (ulimit -u)
	Memory    int64 // of the cgroup, in bytes
	Inotify   int   // instances per user (fs.inotify.max_user_instances)
}

// ReadLimits reads them. What cannot be read counts as not limited: /proc and
// /sys/fs/cgroup may be hidden, and then somebody else has to know.
func ReadLimits() Limits { return readFrom("/") }

func readFrom(root string) Limits {
	l := Limits{CPUs: runtime.GOMAXPROCS(0), Files: rlimit(unix.RLIMIT_NOFILE)}
	l.Processes = lowest(cgroup(root, "pids", "pids.max", "pids.max"), userProcesses())
	l.Memory = int64(lowest(cgroup(root, "memory", "memory.max", "memory.limit_in_bytes"), None))
	l.Inotify = number(filepath.Join(root, "proc/sys/fs/inotify/max_user_instances"))
	return l
}

func rlimit(resource int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(resource, &limit); err != nil || limit.Max > 1<<40 {
		return None
	}
	return int(limit.Max)
}

// userProcesses does not bind root (setrlimit(2): RLIMIT_NPROC is not enforced
// for CAP_SYS_RESOURCE), but it does bind the owner of all mail.
func userProcesses() int { return rlimit(unix.RLIMIT_NPROC) }

// unlimitedMemory is what cgroup v1 shows where no limit is set: the largest page
// count in bytes.
const unlimitedMemory = 1 << 62

// cgroup returns the lowest limit on the way from our own group up to the root of
// what we see; the names of the file differ between versions 2 and 1.
func cgroup(root, controller, v2, v1 string) int {
	lowestSeen := None
	for _, dir := range cgroupDirs(root, controller) {
		for _, name := range []string{v2, v1} {
			if n := number(filepath.Join(dir, name)); n < unlimitedMemory {
				lowestSeen = lowest(lowestSeen, n)
			}
		}
	}
	return lowestSeen
}

// cgroupDirs lists the directories of our group and of those above it. Lines are
// "0::/path" (version 2) or "4:memory:/path" (version 1). Inside a container the
// path may be the host's, of which only the mount's root is to be seen.
func cgroupDirs(root, controller string) []string {
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	base := filepath.Join(root, "sys/fs/cgroup")
	var dirs []string
	for line := range strings.Lines(string(groups)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		mount := base
		if part[1] != "" {
			mount = filepath.Join(base, controller)
		}
		if part[1] != "" && !strings.Contains(","+part[1]+",", ","+controller+",") {
			continue
		}
		for dir := filepath.Clean(part[2]); ; dir = filepath.Dir(dir) {
			dirs = append(dirs, filepath.Join(mount, dir))
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return dirs
}

// number reads a file that holds a number; "max" and anything else is None.
func number(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return None
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return None
	}
	return n
}

// lowest returns the lower of two limits; None is above all.
func lowest(a, b int) int {
	if a == None || b != None && b < a {
		return b
	}
	return a
}
