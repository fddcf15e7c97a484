package container

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"pidgeon/sizing"
	"pidgeon/supervise"
)

// none is a limit that is not set, or cannot be read: /proc and /sys/fs/cgroup may be
// hidden, and then somebody else has to know.
const none = 0

// filesInReserve are allowed to each process beyond need, where the hard limit
// permits: a later override may ask for more, and a running process keeps the
// limit it was started with.
const filesInReserve = 1 << 16

// Measure reads what the container allows and raises ulimit -n to what is demanded.
// RLIMIT_NPROC does not bind root (setrlimit(2): it is not enforced for
// CAP_SYS_RESOURCE), but it does bind the owner of all mail.
func Measure(demand []sizing.Protocol) (sizing.Machine, sizing.Allowed, error) {
	allowed := sizing.Allowed{
		Processes: lowest(cgroup("/", "pids", "pids.max"), rlimit(unix.RLIMIT_NPROC)),
		MemoryKiB: cgroup("/", "memory", "memory.max", "memory.limit_in_bytes") >> 10,
		MemoryBy:  "memory.max",
		Inotify:   number("/proc/sys/fs/inotify/max_user_instances"),
	}
	if host := machineMemory("/proc/meminfo") / 10 * 9; host != none && lowest(allowed.MemoryKiB, host) == host {
		allowed.MemoryKiB, allowed.MemoryBy = host, sizing.MachineMemory
	}
	// Go looks at the cgroup's quota.
	machine := sizing.Machine{CPUs: runtime.GOMAXPROCS(0), Files: 1 << 30, MemoryKiB: allowed.MemoryKiB, Inotify: allowed.Inotify}
	want := sizing.Size(demand, machine).Files
	hard := cmp.Or(rlimit(unix.RLIMIT_NOFILE), filesInReserve)
	soft, err := supervise.RaiseFiles(uint64(max(want, min(hard, filesInReserve))))
	machine.Files, allowed.Files = int(soft), int(soft)
	return machine, allowed, err
}

// machineMemory is what the machine has, in KiB; swap does not count.
func machineMemory(meminfo string) (total int) {
	text, _ := os.ReadFile(meminfo)
	_, _ = fmt.Sscanf(string(text), "MemTotal: %d kB", &total)
	return total
}

func rlimit(resource int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(resource, &limit); err != nil || limit.Max > 1<<40 {
		return none
	}
	return int(limit.Max)
}

// unlimitedMemory is what cgroup v1 shows where no limit is set: the largest page
// count in bytes.
const unlimitedMemory = 1 << 62

// cgroup returns the lowest limit on the way from our own group up to the root of
// what we see; files are its names in versions 2 and 1. Lines of /proc/self/cgroup are
// "0::/path" (version 2) or "4:memory:/path" (version 1). Inside a container the
// path may be the host's, of which only the mount's root is to be seen.
func cgroup(root, controller string, files ...string) (limit int) {
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(groups)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		mount := filepath.Join(root, "sys/fs/cgroup")
		if controllers := part[1]; controllers != "" {
			if !slices.Contains(strings.Split(controllers, ","), controller) {
				continue
			}
			mount = filepath.Join(mount, controller)
		}
		for dir, below := filepath.Join("/", part[2]), ""; dir != below; dir, below = filepath.Dir(dir), dir {
			for _, file := range files {
				if n := number(filepath.Join(mount, dir, file)); n < unlimitedMemory {
					limit = lowest(limit, n)
				}
			}
		}
	}
	return limit
}

// number reads a file that holds a number; "max" and anything else is none.
func number(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return none
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return none
	}
	return max(none, n)
}

// lowest returns the lower of two limits; none is above all.
func lowest(a, b int) int {
	if a == none || b != none && b < a {
		return b
	}
	return a
}
