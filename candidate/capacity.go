package candidate

import (
	"fmt"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/sizing"
)

// limitWarnings warns of overrides that limit a protocol to fewer sessions than were asked
// for, or let in many times as many because they take processes for sessions: the published
// advice "process_limit = 200" lets in 200 times what a process of performance mode holds.
func limitWarnings(effective dovecot.Settings, lines []lint.Line, demand []sizing.Protocol) (warnings finding.List) {
	for _, p := range demand {
		for i, service := range p.Services() {
			processes, clients, _, ok := effective.Limits(service)
			if !ok {
				continue
			}
			sessions := processes * clients
			last, set := overridden(lines, service)
			f := finding.Finding{File: last.File, Line: last.Line, Warning: true}
			if sessions < p.Sessions {
				f.Code, f.Hint = finding.Undercut, "raise the limit, or leave it out"
				f.Problem = fmt.Sprintf("an override limits %s to %d sessions (service %s: process_limit %d × client_limit %d), and %d were asked for",
					p.Name, sessions, service, processes, clients, p.Sessions)
				warnings = append(warnings, f)
				break
			}
			if i == 0 && set["process_limit"] && !set["client_limit"] && clients > 1 && sessions > 2*p.Sessions {
				f.Code, f.Hint = finding.Overshoot, "leave process_limit out, and ask for as many sessions as there are"
				f.Problem = fmt.Sprintf("%d sessions of %s may log in, and %d were asked for: process_limit counts processes, and in performance mode each of them serves %d clients",
					sessions, p.Name, p.Sessions, clients)
				warnings = append(warnings, f)
			}
		}
	}
	return warnings
}

// overridden returns the limits of a service that overrides set, and the last such line.
func overridden(lines []lint.Line, service string) (last lint.Line, set map[string]bool) {
	set = map[string]bool{}
	for _, l := range lines {
		limit, ok := strings.CutPrefix(l.Setting, "service/"+service+"/")
		if ok && l.Override && (limit == "process_limit" || limit == "client_limit") {
			last, set[limit] = l, true
		}
	}
	return last, set
}

// ceilings are the limits in force; capacity is how many of those sessions the container
// has room for.
func (h Host) ceilings(c Candidate, m Interpretation) (ceilings []sizing.Ceiling, capacity sizing.Capacity) {
	held := slices.Clone(c.Demand)
	bottlenecks := h.budget().Bottlenecks(held)
	for i, p := range held {
		now := ceiling(c, m, p, bottlenecks)
		ceilings, held[i] = append(ceilings, now), p.WithSessions(now.Limit)
	}
	lowest, bounded := h.budget().Capacity(held)
	if !bounded {
		return ceilings, capacity
	}
	more := container.Cure(sizing.Bottleneck{Limit: lowest.Limit, Need: lowest.Have + lowest.Have/2})
	return ceilings, sizing.Capacity{Sessions: lowest.Sessions, By: lowest.Limit, Cure: more}
}

// ceiling is the limit of a protocol. If the limits in force differ from the rendered ones,
// an override has set them, and they are the ceiling.
func ceiling(c Candidate, m Interpretation, p sizing.Protocol, bottlenecks []sizing.Bottleneck) sizing.Ceiling {
	services := p.Services()
	sized := c.Sizes.Service(services[0]).Capacity()
	variable := variableOf(p.Name, "_CONCURRENCY")
	now := sizing.Ceiling{
		Protocol: p.Name, Limit: p.Sessions, MaxConnections: sized, By: variable,
		Ports: portsOf(m.Listeners, p.Name), Proxied: p.Proxied, Cure: fmt.Sprintf("set %s above %d", variable, p.Sessions),
	}
	if (p.Auto || p.Asked > p.Sessions) && len(bottlenecks) > 0 {
		now.By, now.Cure = bottlenecks[0].Limit, container.Cure(bottlenecks[0])
	}
	for i, service := range services {
		processes, clients, _, ok := m.Effective.Limits(service)
		connections := sizing.Service{ProcessLimit: processes, ClientLimit: clients}.Capacity()
		if ok && (i == 0 || connections < now.MaxConnections) {
			now.MaxConnections = connections
		}
	}
	if c.Settings.HasOperatorConfig() {
		return operatorCeiling(now, m, p)
	}
	if now.MaxConnections != sized {
		now.Limit, now.By = now.MaxConnections, sizing.Configuration
		now.Cure = fmt.Sprintf("process_limit and client_limit of %s in an override: raise them there, or set %s without them",
			strings.Join(services, " and "), variable)
	}
	return now
}

func portsOf(listeners []config.Listener, protocol string) (ports []int) {
	for _, l := range listeners {
		if l.Protocol == protocol {
			ports = append(ports, l.Port)
		}
	}
	return ports
}
