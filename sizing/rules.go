package sizing

import (
	"cmp"
	"slices"
)

// pair is a login service and the service that takes its clients over. With TLS
// the login process stays for the life of the session, so both hold the same
// number.
type pair struct {
	login, session Service
	hibernates     bool
}

// capacity is how many sessions there can be, without the spare processes.
func (p pair) capacity() int { return min(p.login.Capacity(), p.session.Capacity()) }

// requestsReused is how many clients a session process serves where it may serve
// more than one: starting one costs more than serving a short session. Reuse is
// for users that share a system user: a process cannot go back to another.
const (
	requestsReused = 100
	sessionsReady  = 4 // session processes started ahead
)

// keptReady and allowed name, in a Derivation, processes that overrides keep ready and allow.
const (
	keptReady = "processes that an override keeps ready"
	allowed   = "processes that an override allows"
)

// sessionService has spare processes, because on a slow disk a session process can end later
// than the login process of its client: it still counts against the limit, and the next
// client would wait for its end, and be dropped after 10 s (2.3.19, 2.4.1).
func sessionService(name string, login Service, p Protocol) limits {
	reuse, share := p.Reuse && !p.Secure(), 1
	if reuse {
		share = max(1, p.Share)
	}
	sessions := count(login.Capacity(), "connections that "+login.Name+" lets in").atMost(MaxSessions, "that fit in any container")
	ending := count(p.headroom(), "for those that are about to end")
	processes := add(sessions.dividedBy(share, "to a process"), ending).atLeast(min(p.SessionReady, MaxSessions), keptReady)
	one := count(1, "session to a process")
	if !reuse {
		return limits{name: name, ProcessLimit: processes, ClientLimit: one, Requests: one}
	}
	return limits{
		name: name, ProcessLimit: processes, ClientLimit: add(one, count(share-1, "more where memory is short")),
		Requests:        count(requestsReused, "sessions to a process, one after another"),
		ProcessMinAvail: count(sessionsReady, "processes started ahead").atMost(processes.Total, "processes").atMost(cmp.Or(p.SessionLimit, MaxSessions), allowed),
	}
}

func loginService(name string, p Protocol, machine Machine) limits {
	connections := add(count(p.Sessions, "sessions"), count(p.headroom(), "for clients that come and go"))
	processors, ready := count(machine.CPUs, "processors"), min(p.LoginReady, MaxSessions)
	if p.Secure() {
		one := count(1, "connection to a process")
		connections = connections.atLeast(ready, keptReady)
		return limits{
			name: name, ProcessLimit: connections, ClientLimit: one, Requests: one,
			ProcessMinAvail: processors.atMost(connections.Total, "processes").atMost(cmp.Or(p.LoginLimit, MaxSessions), allowed),
		}
	}
	// One process per CPU, more only where a process could not open enough files.
	processes := processors.atLeast(ceil(2*connections.Total, machine.Files-loginFiles(0)), "processes, or one would open too many files (ulimit -n)").atLeast(ready, keptReady)
	clients := connections.dividedBy(processes.Total, "processes")
	return limits{
		name: name, ProcessLimit: processes, ClientLimit: clients,
		Requests:        count(Unlimited, "a process serves one client after another"),
		ProcessMinAvail: processes.atMost(cmp.Or(p.LoginLimit, MaxSessions), allowed), VSZLimitMiB: p.loginVSZ(clients.Total),
	}
}

// loginFiles is the number of open files a login process needs: a TLS session
// costs two, its socket and its pipe to the session's process.
func loginFiles(clients int) int { return 2*clients + 50 }

// loginVSZ is the address space in MiB that a login process needs. Measured:
// 10.4 MiB + 89 KiB per TLS session (2.3), 14.5 MiB + 109 KiB (2.4). Past it the
// process dies and takes all its sessions along. A session that is passed on has TLS on both
// sides: 154 KiB (2.3), 186 KiB (2.4).
func (p Protocol) loginVSZ(clients int) Derivation {
	toMiB := 8
	if p.Proxied {
		toMiB = 4
	}
	return add(count(clients, "clients").dividedBy(toMiB, "to a MiB"), count(32, "MiB of its own")).atLeast(defaultVSZMiB, "MiB (default_vsz_limit)")
}

// hibernatedClients is how many sessions one process keeps. It closes the inotify
// instance of each that wakes, for which the kernel makes it wait 14 ms (Linux 6.18),
// one after the other, and sessions that are to be kept wait for it meanwhile.
// Dovecot's imap gives up after 10 s and serves its client itself (2.3.19, 2.4.1:
// imap/imap-client-hibernate.c); taken over a moment later, the client is served by
// two processes, each of which reads a part of what it says. "tools/bench.sh wake"
// shows it. A process starts when those before it are full.
const hibernatedClients = 250

// hibernateService keeps IMAP sessions whose clients wait with IDLE, so that their
// session process can go (2.3.19, 2.4.1). What the process watched its mailbox
// with, an inotify instance of its user, moves along; a session without one stays
// where it is, and Dovecot warns of each.
func hibernateService(p pair, machine Machine) (service limits, possible bool) {
	sessions := count(p.capacity(), "sessions of imap")
	clients := count(hibernatedClients, "sessions that can wake at once").atMost(sessions.Total, "sessions of imap").
		atMost(max(1, (machine.Files-loginFiles(0))/2), "that open two files each (ulimit -n)")
	return limits{
		name: "imap-hibernate", ClientLimit: clients,
		ProcessLimit: add(sessions.dividedBy(clients.Total, "to a process"), count(1, "in reserve")),
		Requests:     count(Unlimited, "a process keeps one session after another"),
		VSZLimitMiB:  Protocol{}.loginVSZ(clients.Total),
	}, machine.Inotify == 0 || machine.Inotify >= p.inotifyInstances()
}

// inotifyInstances are one for each session, and some for whoever else
// has the user ID that owns all mail: it is counted for the whole host.
func (p pair) inotifyInstances() int { return p.capacity() + 16 }

// MaxSessions bounds the limits that are derived from an override. No container holds more,
// and Dovecot's numbers end at 2³²-1.
const MaxSessions = 1_000_000

// Limits of services that are not sized, as Dovecot has them by default.
const (
	urlauthLogins = 100  // imap-urlauth-login process_limit, for a feature that is off
	lmtpProcesses = 100  // lmtp process_limit
	defaultLimit  = 1000 // default_client_limit, counted by 2.3 in its check of ulimit -n
	otherClients  = 200  // doveadm, indexers, dict, auth workers and the entrypoint's own probes
)

func ceil(a, b int) int { return (a + b - 1) / max(1, b) }

// derive adds the services that all others connect to, sized for the pairs in force, which an
// override may have changed.
func derive(sized []limits, effective []pair, machine Machine) Sizes {
	var logins, sessions, lookups, hibernators Derivation
	files := 0
	for _, p := range effective {
		files = max(files, loginFiles(p.login.ClientLimit))
		logins = add(logins, p.login.processes())
		sessions = add(sessions, p.session.processes())
		if p.session.Requests != 1 {
			lookups = add(lookups, p.session.processes())
		}
		if hibernate, possible := hibernateService(p, machine); p.hibernates && possible {
			hibernators = add(hibernators, hibernate.service().processes())
			sized = append(sized, hibernate)
			files = max(files, loginFiles(hibernate.ClientLimit.Total))
		}
	}
	urlauth := count(urlauthLogins, "processes of imap-urlauth-login")
	lmtp := count(lmtpProcesses, "processes of lmtp")
	if few := machine.Files / 100; few < urlauthLogins && len(effective) > 0 && effective[0].login.Name == "imap-login" {
		urlauth = count(max(1, few), "processes of imap-urlauth-login")
		sized = append(sized, limits{name: "imap-urlauth-login", ProcessLimit: urlauth})
	}
	others := count(min(otherClients, machine.Files/16), "others (doveadm, indexers, dict, auth workers, probes)")
	sized = append(sized,
		// Dovecot counts this itself, and warns of a lower limit.
		limits{name: "auth", ClientLimit: add(logins, lookups, urlauth, lmtp, others)},
		// Dovecot counts this too.
		limits{name: "anvil", ClientLimit: add(logins, hibernators, urlauth, others)},
		// Dovecot does not check this; beyond it each login stalls for 10 s.
		limits{name: "stats", ClientLimit: add(logins, sessions, hibernators, lmtp, urlauth, others)},
		// 2.3 reads its settings from it: one connection per login process and per
		// session process that is used again.
		limits{name: "config", ClientLimit: add(logins, sessions, hibernators, others)},
	)
	return bounded(sized, files, machine)
}

// indexerMiB is the address space of a process that indexes mail. A message of 1 MiB of text
// takes 110 MiB if words come again as in a language, and more than 330 if none does, or 700
// if it is base64 (2.3.19 with fts_xapian 1.5.5); 70 and 218, and 804 for 5 MiB (2.4.1 with
// fts_flatcurve). The few that need more than Dovecot's default may have a quarter of the
// container's memory each, up to the 2 GiB that fts_xapian's manual asks for.
func indexerMiB(machine Machine) int {
	if machine.MemoryKiB == 0 {
		return maxIndexerMiB
	}
	return min(max(defaultVSZMiB, machine.MemoryKiB>>10/4), maxIndexerMiB)
}

const (
	defaultVSZMiB = 256 // default_vsz_limit
	maxIndexerMiB = 2048
)

// anvilReserve is by how much anvil's limit exceeds the need: it alone is kept
// across reloads, with the limit it was started with, and a later override may
// raise the number of logins.
const anvilReserve = 4

// ownFiles is how many files a process opens besides one for each client.
const ownFiles = 24

// bounded keeps every client limit below what a process may open, or Dovecot
// warns at each start. files are what login services need.
func bounded(sized []limits, files int, machine Machine) Sizes {
	sizes := Sizes{Files: files, IndexerMiB: indexerMiB(machine), limits: map[string]limits{}}
	most := max(1, machine.Files-ownFiles)
	if most < defaultLimit {
		sizes.DefaultClientLimit = most
	}
	for _, s := range sized {
		if s.ClientLimit.Total > 1 {
			sizes.Files = max(sizes.Files, s.ClientLimit.Total+ownFiles)
		}
		if s.name == "anvil" || s.name == "config" {
			s.ClientLimit = s.ClientLimit.atLeast(defaultLimit, "(default_client_limit)")
		}
		if s.name == "anvil" {
			s.ClientLimit = s.ClientLimit.times(anvilReserve, "because it keeps this limit until the next start")
		}
		s.ClientLimit = s.ClientLimit.atMost(most, "open files (ulimit -n)")
		sizes.Services, sizes.limits[s.name] = append(sizes.Services, s.service()), s
	}
	slices.SortFunc(sizes.Services, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return sizes
}
