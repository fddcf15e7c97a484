package sizing

import (
	"cmp"
	"slices"
)

// Cost is what one idle TLS session takes, INBOX open and empty, in KiB of memory
// that is not shared (proportional set size). Active sessions with large mailboxes
// take more. The KiB/session of "tools/bench.sh sessions -sessions 1000" is what is
// written here.
type Cost struct {
	SecureKiB, PerformanceKiB int
	// ClientKiB is what is left of PerformanceKiB when many clients share a session
	// process (measured with 1, 2, 5 and 10 of them).
	ClientKiB int
	// SecureProxiedKiB and ProxiedKiB are for sessions that are passed on, with TLS on both
	// sides.
	SecureProxiedKiB, ProxiedKiB int
}

// Costs are by dialect.
func Costs(dialect string) Cost {
	if dialect == "2.3" {
		return Cost{SecureKiB: 1974, PerformanceKiB: 732, ClientKiB: 180, SecureProxiedKiB: 1450, ProxiedKiB: 145}
	}
	return Cost{SecureKiB: 3371, PerformanceKiB: 1521, ClientKiB: 260, SecureProxiedKiB: 2045, ProxiedKiB: 175}
}

// Need is what sessions take of the container.
type Need struct {
	Sessions  int
	Processes int
	Files     int // of the process that needs most
	MemoryKiB int
	Inotify   int // instances of the owner of all mail, if every client waits with IDLE
}

// What runs without a session, and what a reload and a rehearsal take beside it
// for a while: measured 12 to 14 processes, 8 threads of our own and 19 to 43 MiB.
const (
	idleProcesses = 60
	idleMemoryKiB = 96 << 10
)

// NeedOf adds up what the sessions asked for take.
func NeedOf(protocols []Protocol, machine Machine, cost Cost) Need {
	need := Need{Processes: idleProcesses, MemoryKiB: idleMemoryKiB, Files: Size(protocols, machine).Files}
	for _, p := range protocols {
		need.Sessions += p.Sessions
		need.Processes += p.processes()
		need.MemoryKiB += p.memory(cost)
		if p.Name == "imap" && !p.Proxied {
			need.Inotify = inotifyInstances(Size(protocols, machine).Service(p.Name))
		}
	}
	return need
}

// Allowed is what the container gives; 0 is without limit.
type Allowed struct{ Processes, MemoryKiB, Files, Inotify int }

// ShortOfInotify reports whether some clients that wait with IDLE will hear of new mail only
// when Dovecot looks for it, every 30 s. They lose nothing else, so it is no bottleneck.
func (n Need) ShortOfInotify(a Allowed) bool { return a.Inotify != 0 && a.Inotify < n.Inotify }

// Bottleneck is a limit of the container that is reached before the sessions asked for.
type Bottleneck struct {
	Limit      string // pids.max, memory.max, ulimit -n
	Have, Need int    // memory in KiB
	Sessions   int    // how many fit
}

// Bottlenecks are the limits that are too low, the lowest first.
func (n Need) Bottlenecks(a Allowed) []Bottleneck {
	return slices.DeleteFunc(n.limits(a), func(b Bottleneck) bool { return b.Have >= b.Need || n.Sessions == 0 })
}

// Capacity is how many sessions, of the mix that n is for, the container holds at
// all; ok is false where it is without limit.
func (n Need) Capacity(a Allowed) (lowest Bottleneck, ok bool) {
	a.Files = 0 // of a process, not of the container
	limits := n.limits(a)
	if len(limits) == 0 || n.Sessions == 0 {
		return Bottleneck{}, false
	}
	return limits[0], true
}

// limits are those that are set, the lowest first.
func (n Need) limits(a Allowed) []Bottleneck {
	limit := func(name string, have, idle, need int) Bottleneck {
		return Bottleneck{name, have, need, max(0, n.Sessions*(have-idle)/max(1, need-idle))}
	}
	all := []Bottleneck{
		limit("pids.max", a.Processes, idleProcesses, n.Processes),
		limit("memory.max", a.MemoryKiB, idleMemoryKiB, n.MemoryKiB),
		limit("ulimit -n", a.Files, otherClients, n.Files),
	}
	all = slices.DeleteFunc(all, func(b Bottleneck) bool {
		return b.Have == 0 || b.Limit == "pids.max" && n.Processes == idleProcesses // no session takes one
	})
	slices.SortStableFunc(all, func(a, b Bottleneck) int { return cmp.Compare(a.Sessions, b.Sessions) })
	return all
}
