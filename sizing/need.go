package sizing

import (
	"slices"

	"pidgeon/config"
)

// Cost is the memory of idle TLS sessions, INBOX open and empty, in KiB that the kernel
// cannot reclaim: processes, page tables, stacks and sockets. Measured in a cgroup with
// "tools/bench.sh limits", and 8 % more: 2.3.19 takes 880 and 2.4.1 takes 1720 for a session
// in performance mode, 2232 and 3692 in secure mode; of ten that share a process 440 and 434,
// and 30 more if mail lies in memory. Active sessions with large mailboxes take more.
type Cost struct {
	Idle          int // all that runs without a session, with a judgement and a reload beside it
	Login         int // a login process
	LoginClient   int // each of its clients
	Session       int // a session process and its first client
	SessionClient int // each further one
	ProxiedClient int // each client of a login process that passes it on, with TLS on both sides
}

// Costs are the costs of a dialect. With less memory than Idle and twice the login processes
// the kernel killed judgements: at 28 MiB on 2.3, at 36 to 40 MiB on 2.4.
func Costs(dialect string) Cost {
	if dialect == "2.3" {
		return Cost{Idle: 32 << 10, Login: 1450, LoginClient: 110, Session: 880, SessionClient: 370, ProxiedClient: 190}
	}
	return Cost{Idle: 36 << 10, Login: 2130, LoginClient: 130, Session: 1730, SessionClient: 205, ProxiedClient: 230}
}

// idleProcesses run without a session, threads included, with a judgement, a reload and a
// probe beside them: 42 did not suffice with two processors, 50 did.
const idleProcesses = 56

// Need is what the sessions that the limits let in take of the container.
type Need struct {
	Sessions  int
	Processes int
	Files     int // of the process that needs most
	MemoryKiB int
	Inotify   int // instances of the owner of all mail, if every client waits with IDLE
}

// Need adds up what the sizes for the protocols take.
func (r Budget) Need(protocols []Protocol) Need {
	sizes, cost := Size(protocols, r.Machine), r.Cost
	need := Need{Processes: idleProcesses, MemoryKiB: cost.Idle, Files: sizes.Files}
	for _, p := range protocols {
		named := config.ProtocolNamed(p.Name)
		login, session := sizes.Service(named.Login), sizes.Service(named.Session)
		clients := login.Capacity()
		// After a reload both generations have processes that were started ahead.
		logins := login.ProcessLimit + login.ProcessMinAvail
		need.Sessions += p.Sessions
		need.Processes += logins + session.ProcessLimit
		need.MemoryKiB += logins * cost.Login
		if p.Proxied {
			need.MemoryKiB += clients * cost.ProxiedClient
			continue
		}
		need.MemoryKiB += clients*cost.LoginClient + session.ProcessLimit*cost.Session + max(0, clients-session.ProcessLimit)*cost.SessionClient
		if p.Name == "imap" {
			need.Inotify = pair{login: login, session: session}.inotifyInstances()
		}
	}
	keepers := sizes.Service("imap-hibernate").ProcessLimit
	need.Processes, need.MemoryKiB = need.Processes+keepers, need.MemoryKiB+keepers*cost.Session
	return need
}

// MachineMemory is Allowed.MemoryBy without a limit of a cgroup: all memory but a tenth for
// the kernel and other programs.
const MachineMemory = "9/10 of MemTotal"

// Allowed are the limits of the container; 0 is without limit.
type Allowed struct {
	Processes, MemoryKiB, Files, Inotify int
	MemoryBy                             string // memory.max or MachineMemory
}

// ShortOfInotify reports whether there are too few inotify instances for clients in IDLE.
// Some then hear of new mail up to 30 s late, which is no bottleneck.
func (n Need) ShortOfInotify(a Allowed) bool { return a.Inotify != 0 && a.Inotify < n.Inotify }

// limit is a limit of the container, and what is needed of it.
type limit struct {
	name       string
	have, need int
	alone      Allowed // no other limit than this one
}

func (n Need) limits(a Allowed) []limit {
	all := []limit{
		{"pids.max", a.Processes, n.Processes, Allowed{Processes: a.Processes}},
		{a.MemoryBy, a.MemoryKiB, n.MemoryKiB, Allowed{MemoryKiB: a.MemoryKiB, MemoryBy: a.MemoryBy}},
		{"ulimit -n", a.Files, n.Files, Allowed{Files: a.Files}},
	}
	return slices.DeleteFunc(all, func(l limit) bool { return l.have == 0 })
}

func (n Need) fits(a Allowed) bool {
	return !slices.ContainsFunc(n.limits(a), func(l limit) bool { return l.have < l.need })
}
