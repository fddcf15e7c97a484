package main

import (
	"slices"

	"pidgeon/dovecot"
	"pidgeon/sizing"
)

// ceiling is how many sessions of a protocol are held at most.
type ceiling struct {
	Protocol string `json:"protocol"`
	Limit    int    `json:"limit"`      // sessions
	Places   int    `json:"places"`     // connections that are let in, headroom included
	By       string `json:"limited_by"` // the variable, "configuration" (an override, or a last good one), or a limit of the container

	ports []int
}

// bound is what the container has for sessions of all protocols and generations
// together; zero where nothing limits it.
type bound struct {
	Sessions int    `json:"limit"`
	By       string `json:"limited_by"` // pids.max or memory.max

	have int // of that
}

// byConfiguration is a limit that no variable has set.
const byConfiguration = "configuration"

// ceilings are those in force: what Dovecot was read back to have, and no more
// than the container has room for.
func (b builder) ceilings(c candidate) (all []ceiling, has bound) {
	held := slices.Clone(c.asked)
	for i, p := range held {
		now := inForce(c, p)
		all = append(all, now)
		held[i] = p.With(now.Limit)
	}
	wall, bounded := b.need(held).Room(b.allowed)
	if !bounded {
		return all, has
	}
	for i := range all {
		if wall.Sessions < all[i].Limit {
			all[i].Limit, all[i].Places, all[i].By = wall.Sessions, wall.Sessions, wall.Limit
		}
	}
	return all, bound{wall.Sessions, wall.Limit, wall.Have}
}

// inForce is what Dovecot holds of a protocol. Places that are others than those
// sized for what was asked come from an override, and then count as they are.
func inForce(c candidate, p sizing.Protocol) ceiling {
	sized := c.sizes.Service(p.Services()[0]).Capacity()
	now := ceiling{Protocol: p.Name, Limit: p.Sessions, Places: sized, By: concurrency(p.Name)}
	for i, service := range p.Services() {
		processes, clients, _, ok := c.effective.Limits(service)
		places := sizing.Service{ProcessLimit: processes, ClientLimit: clients}.Capacity()
		if ok && (i == 0 || places < now.Places) {
			now.Places = places
		}
	}
	if now.Places != sized {
		now.Limit, now.By = now.Places, byConfiguration
	}
	now.ports = portsOf(c.listeners, p.Name)
	return now
}

func portsOf(listeners []dovecot.Listener, protocol string) (ports []int) {
	for _, l := range listeners {
		if l.Protocol == protocol {
			ports = append(ports, l.Port)
		}
	}
	return ports
}
