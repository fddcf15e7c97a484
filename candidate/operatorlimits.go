package candidate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// sizeOperatorConfig sizes the operator's configuration for the sessions that were asked
// for, around the limits that it sets itself. A protocol without a number holds as many
// sessions as its limits allow.
func (h Host) sizeOperatorConfig(c Candidate, effective dovecot.Settings) Candidate {
	c.Demand, c.Settings.Protocols = nil, nil
	for _, p := range config.Protocols() {
		if effective.ProtocolOn(p.Name) {
			c.Settings.Protocols = append(c.Settings.Protocols, p.Name)
		}
	}
	written := c.writtenLimits(effective)
	asked := false
	for _, p := range c.Settings.Demand() {
		if p = withOwnSessions(p, c.Settings, effective); p.LimitedBy == "" {
			asked, p = true, withOwnMode(p, c.Settings, written)
		}
		c.Demand = append(c.Demand, p)
	}
	c.Demand = h.Demand(c.Sources, c.Demand)
	if c.Sizes = (sizing.Sizes{}); asked {
		c.Sizes = sizing.Size(c.Demand, h.Facts.Machine).ForOperatorLimits(written, c.Demand, h.Facts.Machine)
	}
	return c
}

func variableOf(protocol, of string) string { return strings.ToUpper(protocol) + of }

// withOwnSessions sets the sessions of a protocol to what its limits allow, if no number was
// asked for.
func withOwnSessions(p sizing.Protocol, s settings.Settings, effective dovecot.Settings) sizing.Protocol {
	if s.IsSet(variableOf(p.Name, "_CONCURRENCY")) {
		return p
	}
	p.Mode = sizing.Secure
	if _, clients, _, _ := effective.Limits(config.ProtocolNamed(p.Name).Login); clients > 1 {
		p.Mode = sizing.Performance
	}
	if all := protocolLimits(effective, config.ProtocolNamed(p.Name)); len(all) > 0 {
		p.Sessions, p.LimitedBy = all[0].sessions, all[0].limit
	}
	return p
}

// withOwnMode sets the mode of a protocol to that of its configuration, unless one was asked
// for.
func withOwnMode(p sizing.Protocol, s settings.Settings, written map[string]sizing.Service) sizing.Protocol {
	login := written[config.ProtocolNamed(p.Name).Login]
	switch {
	case s.IsSet(variableOf(p.Name, "_MODE")):
		login.Requests = 0
		written[login.Name] = login
	case login.Requests == 1:
		p.Mode = sizing.Secure
	case login.Requests != 0:
		p.Mode = sizing.Performance
	}
	return p
}

// operatorCeiling is the ceiling of a protocol that the operator's configuration limits.
func operatorCeiling(now sizing.Ceiling, m Interpretation, p sizing.Protocol) sizing.Ceiling {
	all := protocolLimits(m.Effective, config.ProtocolNamed(p.Name))
	if len(all) == 0 || p.LimitedBy == "" && all[0].sessions >= p.Sessions {
		return now
	}
	now.Limit, now.By = min(now.MaxConnections, all[0].sessions), sizing.Configuration
	now.Cure = fmt.Sprintf("set %s, or raise %s", variableOf(p.Name, "_CONCURRENCY"), all[0].limit)
	return now
}

// protocolLimit is a limit of services, and how many sessions it allows.
type protocolLimit struct {
	sessions int
	limit    string
}

// statsReserve are clients of stats that are no sessions (measured).
const statsReserve = 20

// protocolLimits are the limits of a protocol, the lowest first.
func protocolLimits(s dovecot.Settings, p config.Protocol) []protocolLimit {
	var all []protocolLimit
	perSession := 0.0 // processes
	for _, service := range p.Services() {
		processes, clients, _, ok := s.Limits(service)
		if !ok {
			continue
		}
		limit := "process_limit of " + service
		if clients > 1 {
			limit = "process_limit × client_limit of " + service
		}
		sessions := sizing.Service{ProcessLimit: processes, ClientLimit: clients}.Capacity()
		all = append(all, protocolLimit{min(sessions, sizing.MaxSessions), limit})
		if service == p.Session || clients == 1 {
			perSession += 1 / float64(clients)
		}
	}
	if _, clients, _, ok := s.Limits("stats"); ok && perSession > 0 {
		all = append(all, protocolLimit{max(0, int(float64(clients-statsReserve)/perSession)), "client_limit of stats"})
	}
	slices.SortStableFunc(all, func(a, b protocolLimit) int { return cmp.Compare(a.sessions, b.sessions) })
	return all
}

// writtenLimits are the limits that the operator's files set; others are zero.
func (c Candidate) writtenLimits(effective dovecot.Settings) map[string]sizing.Service {
	all := map[string]sizing.Service{}
	set := map[string]bool{}
	for _, l := range c.Lint.Lines() {
		set[l.Setting] = set[l.Setting] || l.Override
	}
	for _, name := range c.limited() {
		of := func(limit string) bool {
			inherited, own := effective.Int("service/" + name + "/" + limit)
			return set["service/"+name+"/"+limit] || set["default_"+limit] && (!own || inherited == 0)
		}
		s := sizing.Service{Name: name}
		processes, clients, requests, _ := effective.Limits(name)
		if of("process_limit") || of("client_limit") {
			s.ProcessLimit, s.ClientLimit = processes, clients
		}
		if of("service_count") || of("restart_request_count") {
			s.Requests = requests
		}
		if of("process_min_avail") {
			s.ProcessMinAvail, _ = effective.Int("service/" + name + "/process_min_avail")
		}
		if of("vsz_limit") {
			s.VSZLimitMiB = mebibytes(cmp.Or(effective["service/"+name+"/vsz_limit"], effective["default_vsz_limit"]))
		}
		all[name] = s
	}
	return all
}

// mebibytes reads a size as Dovecot writes it.
func mebibytes(size string) int {
	var n float64
	var unit string
	if _, err := fmt.Sscan(size, &n, &unit); err != nil || n == 0 {
		return math.MaxInt32 // without limit
	}
	perMiB := map[string]float64{"B": 1 << 20, "k": 1 << 10, "M": 1, "G": 1. / (1 << 10), "T": 1. / (1 << 20)}[unit]
	return int(min(n/cmp.Or(perMiB, 1), math.MaxInt32))
}
