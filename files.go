package main

import (
	"fmt"
	"runtime"
	"syscall"

	"pidgeon/settings"
	"pidgeon/sizing"
	"pidgeon/supervise"
)

// filesInReserve are allowed to each process beyond need, where the hard limit
// lets us: a later override may ask for more, and a running process keeps the
// limit it was started with.
const filesInReserve = 1 << 16

// measure sizes for what the container allows and raises ulimit -n to it.
func measure(s settings.Settings) (machine sizing.Machine, short int, err error) {
	machine = sizing.Machine{CPUs: runtime.GOMAXPROCS(0), Files: 1 << 30} // GOMAXPROCS minds the cgroup's quota
	hard, err := hardFiles()
	if err != nil {
		return machine, 0, err
	}
	want := sizing.Size(s.Ask(), machine).Files
	soft, err := supervise.RaiseFiles(max(uint64(want), min(hard, filesInReserve)))
	machine.Files = int(soft)
	if need := sizing.Size(s.Ask(), machine).Files; need > machine.Files {
		short = need
	}
	return machine, short, err
}

func hardFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit on open files: %w", err)
	}
	return limit.Max, nil
}
