package sizing

import (
	"cmp"
	"slices"
)

type names struct{ login, session string }

// serviceNames is the pair of services behind a protocol. LMTP has no login
// service: nobody stays connected to it.
func serviceNames(protocol string) (names, bool) {
	switch protocol {
	case "imap", "pop3", "submission":
		return names{protocol + "-login", protocol}, true
	case "sieve":
		return names{"managesieve-login", "managesieve"}, true
	}
	return names{}, false
}

// pair is a login service and the service that takes its clients over. With TLS
// the login process stays for the life of the session, so both hold the same
// number.
type pair struct {
	login, session Service
	hibernates     bool
}

// requestsReused is how many clients a session process serves where it may serve
// more than one: starting one costs more than serving a short session. Reuse is
// for users that share a system user: a process cannot go back to another.
const (
	requestsReused = 100
	sessionsReady  = 4 // session processes started ahead
)

func sessionService(name string, login Service, p Protocol) Service {
	session := Service{Name: name, ProcessLimit: min(login.Capacity(), maxSessions), ClientLimit: 1, Requests: 1}
	if p.mode() == Performance && p.Reuse {
		share := max(1, p.Share)
		session.ProcessLimit, session.ClientLimit = ceil(session.ProcessLimit, share), share
		session.Requests, session.ProcessMinAvail = requestsReused, min(sessionsReady, session.ProcessLimit)
	}
	return session
}

func loginService(name string, p Protocol, machine Machine) Service {
	connections := p.Sessions + Headroom(p.Sessions)
	if p.mode() == Secure {
		return Service{
			Name: name, ProcessLimit: connections, ClientLimit: 1, Requests: 1,
			ProcessMinAvail: min(machine.CPUs, connections),
		}
	}
	// One process per CPU, more only where a process could not open enough files.
	processes := max(machine.CPUs, ceil(2*connections, machine.Files-loginFiles(0)))
	clients := ceil(connections, processes)
	return Service{
		Name: name, ProcessLimit: processes, ClientLimit: clients, Requests: Unlimited,
		ProcessMinAvail: processes, VSZLimitMiB: loginVSZ(clients),
	}
}

// loginFiles is the number of open files a login process needs: a TLS session
// costs two, its socket and its pipe to the session's process.
func loginFiles(clients int) int { return 2*clients + 50 }

// loginVSZ is the address space in MiB that a login process needs. Measured:
// 10.4 MiB + 89 KiB per TLS session (2.3), 14.5 MiB + 109 KiB (2.4). Past it the
// process dies and takes all its sessions along.
func loginVSZ(clients int) int { return max(256, 32+ceil(clients, 8)) }

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
func hibernateService(session Service, machine Machine) (Service, bool) {
	sessions := session.Capacity()
	clients := min(hibernatedClients, sessions, max(1, (machine.Files-loginFiles(0))/2))
	return Service{
		Name: "imap-hibernate", ProcessLimit: ceil(sessions, clients) + 1, ClientLimit: clients,
		Requests: Unlimited, VSZLimitMiB: loginVSZ(clients),
	}, machine.Inotify == 0 || machine.Inotify >= inotifyInstances(session)
}

// inotifyInstances are one for each session, and some for whoever else
// has the user ID that owns all mail: it is counted for the whole host.
func inotifyInstances(session Service) int { return session.Capacity() + 16 }

// maxSessions bounds what an override can make of a process limit: more fits in no
// container, and Dovecot's numbers end at 2³²-1.
const maxSessions = 1_000_000

// What stock Dovecot allows the services that are not sized here.
const (
	urlauthLogins = 100  // imap-urlauth-login process_limit
	lmtpProcesses = 100  // lmtp process_limit
	defaultLimit  = 1000 // default_client_limit, counted by 2.3 in its check of ulimit -n
	otherClients  = 200  // doveadm, indexers, dict, auth workers and the entrypoint's own probes
)

func ceil(a, b int) int { return (a + b - 1) / max(1, b) }

// derive adds the services that all others talk to: as big as is needed for the
// pairs in effect, which an override may have made others than were sized.
func derive(sized, effective []pair, machine Machine) Sizes {
	var sizes Sizes
	logins, sessions, lookups, keepers := 0, 0, 0, 0
	for i, p := range effective {
		sizes.Services = append(sizes.Services, sized[i].login, sized[i].session)
		sizes.Files = max(sizes.Files, loginFiles(p.login.ClientLimit))
		logins += p.login.ProcessLimit
		sessions += p.session.ProcessLimit
		if p.session.Requests != 1 {
			lookups += p.session.ProcessLimit
		}
		if hibernate, possible := hibernateService(p.session, machine); p.hibernates && possible {
			keepers += hibernate.ProcessLimit
			sizes.Services = append(sizes.Services, hibernate)
			sizes.Files = max(sizes.Files, loginFiles(hibernate.ClientLimit))
		}
	}
	sizes.Services = append(sizes.Services,
		// Counted by Dovecot itself, which warns when it is lower.
		Service{Name: "auth", ClientLimit: logins + lookups + urlauthLogins + lmtpProcesses + otherClients},
		// Counted by Dovecot too.
		Service{Name: "anvil", ClientLimit: max(defaultLimit, logins+keepers+urlauthLogins+otherClients)},
		// Never checked by Dovecot: past it each login stalls for 10 s.
		Service{Name: "stats", ClientLimit: logins + sessions + keepers + lmtpProcesses + urlauthLogins + otherClients},
		// 2.3 reads its settings from it: one connection per login process and per
		// session process that is used again.
		Service{Name: "config", ClientLimit: max(defaultLimit, logins+sessions+keepers+otherClients)},
	)
	return sizes.bounded(machine)
}

// anvilReserve is by how much anvil's limit exceeds the need: it alone is kept
// across reloads, with the limit it was started with, and a later override may
// raise the number of logins.
const anvilReserve = 4

// bounded keeps every client limit below what a process may open, or Dovecot
// warns at each start.
func (s Sizes) bounded(machine Machine) Sizes {
	s.Files = max(s.Files, defaultLimit)
	for i, service := range s.Services {
		s.Files = max(s.Files, service.ClientLimit)
		if service.Name == "anvil" {
			service.ClientLimit *= anvilReserve
		}
		s.Services[i].ClientLimit = min(service.ClientLimit, max(1, machine.Files))
	}
	slices.SortFunc(s.Services, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
