// Package container is where this process finds itself: as whom it runs, where it
// writes, what the kernel and the engine allow, and how a limit is raised. It
// prepares; what is to be held is for others to say.
package container

import (
	"pidgeon/sizing"
	"pidgeon/supervise"
)

// Facts do not change while a container lives.
type Facts struct {
	Identity Identity
	Machine  sizing.Machine
	Allowed  sizing.Allowed
}

// Need is what sessions take of the container, with a Dovecot of that dialect.
func (f Facts) Need(demand []sizing.Protocol, dialect string) sizing.Need {
	return sizing.NeedOf(demand, f.Machine, sizing.Costs(dialect))
}

// filesInReserve are allowed to each process beyond need, where the hard limit
// permits: a later override may ask for more, and a running process keeps the
// limit it was started with.
const filesInReserve = 1 << 16

// Measure reads what the container allows and raises ulimit -n to what is demanded.
func Measure(demand []sizing.Protocol) (sizing.Machine, sizing.Allowed, error) {
	l := ReadLimits()
	machine := sizing.Machine{CPUs: l.CPUs, Files: 1 << 30, Inotify: l.Inotify}
	want := sizing.Size(demand, machine).Files
	if l.Files == None {
		l.Files = filesInReserve
	}
	soft, err := supervise.RaiseFiles(uint64(max(want, min(l.Files, filesInReserve))))
	machine.Files = int(soft)
	allowed := sizing.Allowed{Processes: l.Processes, MemoryKiB: int(l.Memory >> 10), Files: machine.Files, Inotify: l.Inotify}
	return machine, allowed, err
}
