// Package sizing computes the limits of Dovecot's services for a number of sessions, and how
// many sessions fit in a container. It is arithmetic alone: callers pass the limits of the
// container in.
//
// The rules were measured on Dovecot 2.3.19 and 2.4.1. Where the two differ the
// larger need is taken, so one set of sizes serves both.
package sizing

import (
	"math"
	"slices"

	"pidgeon/config"
)

// Unlimited is the Service.Requests of processes that are never replaced.
const Unlimited = -1

// Machine is the hardware and the limits that sizes depend on.
type Machine struct {
	CPUs      int
	Files     int // hard limit of open files per process (ulimit -Hn)
	MemoryKiB int // 0 is without limit
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

func (s Service) processes() Derivation { return count(s.ProcessLimit, "processes of "+s.Name) }

type limits struct {
	name                                                              string
	ProcessLimit, ClientLimit, Requests, ProcessMinAvail, VSZLimitMiB Derivation
}

func (l limits) service() Service {
	return Service{l.name, l.ProcessLimit.Total, l.ClientLimit.Total, l.Requests.Total, l.ProcessMinAvail.Total, l.VSZLimitMiB.Total}
}

// Sizes are the services in the order of their names, and the open files that they need.
type Sizes struct {
	Services []Service
	Files    int // open files per process (ulimit -n)
	// DefaultClientLimit is for the services that are not sized: Dovecot 2.3 warns where a
	// process may open fewer files. Zero leaves Dovecot's default.
	DefaultClientLimit int
	IndexerMiB         int // vsz_limit of a process that indexes mail

	limits map[string]limits // behind Services, by their names
}

// Derivation is the derivation of a limit; service and setting have Dovecot's names.
func (s Sizes) Derivation(service, setting string) (limit Derivation, ok bool) {
	of := s.limits[service]
	limit = map[string]Derivation{
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

// Protocols are the protocols that the limits of a service follow from: its own, or all if
// it serves all, or if it shares processes because memory is short.
func (s Sizes) Protocols(service string) (all []string) {
	for _, p := range config.Protocols() {
		if s.Service(p.Login).Name != "" {
			all = append(all, p.Name)
		}
	}
	own := config.ProtocolOfService(service)
	shares := service == own && s.Service(service).ClientLimit > 1
	if slices.Contains(all, own) && !shares {
		return []string{own}
	}
	return all
}

// Size returns the limits for the sessions of all protocols.
func Size(protocols []Protocol, machine Machine) Sizes {
	return Sizes{}.Resize(nil, protocols, machine)
}

// Resize sizes again around what an override has changed of login and session
// services: who raises the number of logins means the number of sessions, so
// everything that depends on it is raised too. inForce are the limits read back
// from Dovecot. Limits that the override sets itself keep their rendered value:
// Dovecot uses the override's, which is included later.
func (s Sizes) Resize(inForce []Service, protocols []Protocol, machine Machine) Sizes {
	var sized []limits
	var effective []pair
	for _, p := range protocols {
		services := config.ProtocolNamed(p.Name)
		if services.Session == "" { // LMTP, to which clients do not stay connected
			continue
		}
		login := loginService(services.Login, p, machine)
		logins := login.service().overridden(inForce)
		if need := p.loginVSZ(logins.ClientLimit); logins != login.service() && need.Total > login.VSZLimitMiB.Total {
			login.VSZLimitMiB = need
		}
		// Dovecot refuses a higher process_min_avail, and would name pidgeon's line.
		login.ProcessMinAvail = login.ProcessMinAvail.atMost(logins.ProcessLimit, "processes that an override allows")
		sized = append(sized, login)
		if p.Proxied {
			effective = append(effective, pair{login: logins})
			continue
		}
		session := sessionService(services.Session, logins, p)
		sessions := session.service()
		if rendered := s.Service(services.Session); rendered.overridden(inForce) != rendered {
			sessions = rendered.overridden(inForce)
		}
		effective = append(effective, pair{logins, sessions, p.hibernates()})
		session.ProcessMinAvail = session.ProcessMinAvail.atMost(sessions.ProcessLimit, "processes that an override allows")
		sized = append(sized, session)
	}
	return derive(sized, effective, machine)
}

// overridden returns the service with the limits in force.
func (s Service) overridden(inForce []Service) Service {
	for _, now := range inForce {
		if now.Name == s.Name {
			s.ProcessLimit, s.ClientLimit, s.Requests = now.ProcessLimit, now.ClientLimit, now.Requests
		}
	}
	return s
}

// Equal reports whether two sizes are the same.
func (s Sizes) Equal(other Sizes) bool {
	return s.Files == other.Files && slices.Equal(s.Services, other.Services)
}
