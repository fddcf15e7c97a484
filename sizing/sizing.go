// Package sizing says how big each Dovecot service must be for a number of
// sessions. It is arithmetic alone: what the container allows is passed in, and
// what Dovecot does with the result is for others.
//
// The rules were measured on Dovecot 2.3.19 and 2.4.1. Where the two differ the
// larger need is taken, so one set of sizes serves both.
package sizing

import (
	"math"
	"slices"

	"pidgeon/config"
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
	Reuse    bool // a session process may serve one client after another
	Share    int  // how many clients a session process serves at once; 0 is one
}

// Machine is what the container gives.
type Machine struct {
	CPUs  int
	Files int // hard limit of open files per process (ulimit -Hn)
	// Inotify is how many inotify instances a user may have; 0 is without limit.
	Inotify int
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
func (s Service) Capacity() int {
	if s.ClientLimit > 0 && s.ProcessLimit > math.MaxInt/s.ClientLimit {
		return math.MaxInt
	}
	return s.ProcessLimit * s.ClientLimit
}

func (s Service) processes() Sum { return count(s.ProcessLimit, "processes of "+s.Name) }

// limits are the sums behind a Service.
type limits struct {
	name                                                              string
	ProcessLimit, ClientLimit, Requests, ProcessMinAvail, VSZLimitMiB Sum
}

func (l limits) service() Service {
	return Service{l.name, l.ProcessLimit.Total, l.ClientLimit.Total, l.Requests.Total, l.ProcessMinAvail.Total, l.VSZLimitMiB.Total}
}

// Sizes are the services in the order of their names, and what they need of the
// operating system.
type Sizes struct {
	Services []Service
	Files    int // open files per process (ulimit -n)

	limits map[string]limits // behind Services, by their names
}

// Sum tells how a limit came about; service and setting have Dovecot's names.
func (s Sizes) Sum(service, setting string) (limit Sum, ok bool) {
	of := s.limits[service]
	limit = map[string]Sum{
		"process_limit": of.ProcessLimit, "client_limit": of.ClientLimit, "process_min_avail": of.ProcessMinAvail,
		"service_count": of.Requests, "restart_request_count": of.Requests, "vsz_limit": of.VSZLimitMiB,
	}[setting]
	return limit, len(limit.Terms) > 0
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

// Protocols are those whose sessions and mode the limits of a service follow from: its
// own, or all where it serves all, or shares its processes because all need memory.
func (s Sizes) Protocols(service string) (all []string) {
	for _, p := range config.Protocols() {
		if s.Service(p.Login).Name != "" {
			all = append(all, p.Name)
		}
	}
	own := config.ProtocolServed(service)
	shares := service == own && s.Service(service).ClientLimit > 1
	if slices.Contains(all, own) && !shares {
		return []string{own}
	}
	return all
}

// Headroom is how many connections beyond the sessions asked for are let in, so
// that a client that has not logged in yet, a probe, or one that reconnects
// before its old session ends is not turned away.
func Headroom(sessions int) int { return 10 + sessions/50 }

// Size returns the limits with which every protocol holds its sessions.
func Size(protocols []Protocol, machine Machine) Sizes {
	var sized []limits
	var pairs []pair
	for _, p := range protocols {
		if names, ok := serviceNames(p.Name); ok {
			login := loginService(names.login, p, machine)
			session := sessionService(names.session, login.service(), p)
			sized = append(sized, login, session)
			pairs = append(pairs, pair{login.service(), session.service(), p.hibernates()})
		}
	}
	return derive(sized, pairs, machine)
}

// Services are the names of the services behind the protocol, login first.
func (p Protocol) Services() []string {
	names, ok := serviceNames(p.Name)
	if !ok {
		return nil
	}
	return []string{names.login, names.session}
}

// With is the protocol with another number of sessions, in the mode that it has.
func (p Protocol) With(sessions int) Protocol {
	p.Mode, p.Sessions = p.mode(), sessions
	return p
}

// Secure reports whether each connection gets a login process of its own.
func (p Protocol) Secure() bool { return p.mode() == Secure }

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

// hibernates reports whether idle sessions may be handed to a process that keeps
// them all.
func (p Protocol) hibernates() bool { return p.Name == "imap" && p.mode() == Performance }

// Equal reports whether two sizes are the same.
func (s Sizes) Equal(other Sizes) bool {
	return s.Files == other.Files && slices.Equal(s.Services, other.Services)
}
