// Package sizing says how big each Dovecot service must be for a number of
// sessions. It is arithmetic alone: what the container allows is passed in, and
// what Dovecot does with the result is for others.
//
// The rules were measured on Dovecot 2.3.19 and 2.4.1. Where the two differ the
// larger need is taken, so one set of sizes serves both.
package sizing

import (
	"cmp"
	"slices"
)

// Mode is how a login service shares its processes among clients.
type Mode string

const (
	// Auto is Secure up to SecureUpTo sessions and Performance above.
	Auto Mode = "auto"
	// Secure gives each connection a login process of its own.
	Secure Mode = "secure"
	// Performance lets a few login processes serve all connections.
	Performance Mode = "performance"
)

// SecureUpTo is the largest number of sessions for which Auto means Secure.
const SecureUpTo = 100

// Unlimited as Service.Requests: a process serves clients for ever.
const Unlimited = -1

// Protocol is what was asked of one protocol.
type Protocol struct {
	Name     string // as in Dovecot's "protocols": imap, pop3, submission, sieve
	Sessions int    // how many are connected at once
	Mode     Mode
}

// Machine is what the container gives.
type Machine struct {
	CPUs  int
	Files int // hard limit of open files per process (ulimit -Hn)
}

// Service holds the limits of one Dovecot service. Zero leaves Dovecot's default.
type Service struct {
	Name            string
	ProcessLimit    int
	ClientLimit     int
	Requests        int // service_count in 2.3, restart_request_count in 2.4
	ProcessMinAvail int
	VSZLimitMiB     int
}

// Unlimited reports whether a process of the service is never replaced.
func (s Service) Unlimited() bool { return s.Requests == Unlimited }

// Capacity is how many clients all processes of the service hold together.
func (s Service) Capacity() int { return s.ProcessLimit * s.ClientLimit }

// Sizes are the services in the order of their names, and what they need of the
// operating system.
type Sizes struct {
	Services []Service
	Files    int // open files per process (ulimit -n)
}

// Service returns the limits of the named service; the zero value if it has none.
func (s Sizes) Service(name string) Service {
	for _, service := range s.Services {
		if service.Name == name {
			return service
		}
	}
	return Service{}
}

// Headroom is how many connections beyond the sessions asked for are let in, so
// that a client that has not logged in yet, a probe, or one that reconnects
// before its old session ends is not turned away.
func Headroom(sessions int) int { return 10 + sessions/50 }

// Size returns the limits with which every protocol holds its sessions.
func Size(protocols []Protocol, machine Machine) Sizes {
	var pairs []pair
	for _, p := range protocols {
		if names, ok := serviceNames(p.Name); ok {
			pairs = append(pairs, pairFor(names, loginService(names.login, p, machine)))
		}
	}
	return derive(pairs, machine)
}

// Follow sizes again around login services that an override has changed: who
// raises the number of logins means the number of sessions, so everything that
// depends on it is raised too. inForce are the limits read back from Dovecot.
func (s Sizes) Follow(inForce []Service, protocols []Protocol, machine Machine) Sizes {
	var pairs []pair
	for _, p := range protocols {
		if names, ok := serviceNames(p.Name); ok {
			pairs = append(pairs, pairFor(names, s.Service(names.login).follow(inForce)))
		}
	}
	return derive(pairs, machine)
}

func (s Service) follow(inForce []Service) Service {
	for _, is := range inForce {
		if is.Name != s.Name || is.limits() == s.limits() {
			continue
		}
		s.ProcessLimit, s.ClientLimit, s.Requests = is.ProcessLimit, is.ClientLimit, is.Requests
		s.ProcessMinAvail = min(s.ProcessMinAvail, is.ProcessLimit)
		s.VSZLimitMiB = loginVSZ(is.ClientLimit)
	}
	return s
}

type limits struct{ processes, clients, requests int }

func (s Service) limits() limits {
	return limits{s.ProcessLimit, s.ClientLimit, s.Requests}
}

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
type pair struct{ login, session Service }

func pairFor(names names, login Service) pair {
	return pair{login, Service{
		Name: names.session, ProcessLimit: login.Capacity(), ClientLimit: 1, Requests: 1,
	}}
}

// Services are the names of the services behind the protocol, login first.
func (p Protocol) Services() []string {
	names, ok := serviceNames(p.Name)
	if !ok {
		return nil
	}
	return []string{names.login, names.session}
}

// mode resolves Auto.
func (p Protocol) mode() Mode {
	if p.Mode != Auto {
		return p.Mode
	}
	if p.Sessions <= SecureUpTo {
		return Secure
	}
	return Performance
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
	processes := max(machine.CPUs, ceil(loginFiles(connections), machine.Files))
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

// What stock Dovecot allows the services that are not sized here.
const (
	urlauthLogins = 100  // imap-urlauth-login process_limit
	lmtpProcesses = 100  // lmtp process_limit
	defaultLimit  = 1000 // default_client_limit, counted by 2.3 in its check of ulimit -n
	otherClients  = 200  // doveadm, indexers, dict, auth workers and the entrypoint's own probes
)

// derive adds the services that all others talk to.
func derive(pairs []pair, machine Machine) Sizes {
	var sizes Sizes
	logins, sessions, lookups := 0, 0, 0
	for _, p := range pairs {
		sizes.Services = append(sizes.Services, p.login, p.session)
		sizes.Files = max(sizes.Files, loginFiles(p.login.ClientLimit))
		logins += p.login.ProcessLimit
		sessions += p.session.ProcessLimit
		if p.session.Requests != 1 {
			lookups += p.session.ProcessLimit
		}
	}
	sizes.Services = append(sizes.Services,
		// Counted by Dovecot itself, which warns when it is lower.
		Service{Name: "auth", ClientLimit: logins + lookups + urlauthLogins + lmtpProcesses + otherClients},
		// Counted by Dovecot too. It alone is kept across reloads with the limit
		// it was started with, so it gets room for what later overrides may raise.
		Service{Name: "anvil", ClientLimit: max(defaultLimit, 4*(logins+urlauthLogins)+otherClients)},
		// Never checked by Dovecot: past it each login stalls for 10 s.
		Service{Name: "stats", ClientLimit: logins + sessions + lmtpProcesses + urlauthLogins + otherClients},
		// 2.3 reads its settings from it: one connection per login process and per
		// session process that is used again.
		Service{Name: "config", ClientLimit: max(defaultLimit, logins+sessions+otherClients)},
	)
	return sizes.bounded(machine)
}

// bounded keeps every client limit below what a process may open, or Dovecot
// warns at each start.
func (s Sizes) bounded(machine Machine) Sizes {
	s.Files = max(s.Files, defaultLimit)
	for i, service := range s.Services {
		s.Files = max(s.Files, service.ClientLimit)
		s.Services[i].ClientLimit = min(service.ClientLimit, max(1, machine.Files))
	}
	slices.SortFunc(s.Services, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

func ceil(a, b int) int { return (a + b - 1) / max(1, b) }

// Equal reports whether two sizes are the same.
func (s Sizes) Equal(other Sizes) bool {
	return s.Files == other.Files && slices.Equal(s.Services, other.Services)
}
