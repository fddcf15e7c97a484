package main

import (
	"fmt"
	"slices"
	"strings"

	"pidgeon/dovecot"
	"pidgeon/occupancy"
	"pidgeon/sizing"
)

// ceilings are those in force: what Dovecot was read back to have, and no more
// than the container has room for.
func (b builder) ceilings(c candidate) ([]occupancy.Ceiling, occupancy.Room) {
	all, held := make([]occupancy.Ceiling, len(c.asked)), slices.Clone(c.asked)
	for i, p := range held {
		all[i] = inForce(c, p)
		held[i] = p.With(all[i].Limit)
	}
	wall, bounded := b.need(held).Room(b.allowed)
	if !bounded {
		return all, occupancy.Room{}
	}
	more := cure(sizing.Wall{Limit: wall.Limit, Need: wall.Have + wall.Have/2})
	room := occupancy.Room{Sessions: wall.Sessions, By: wall.Limit, Cure: more}
	room.Bound(all)
	return all, room
}

// inForce is what Dovecot holds of a protocol. Places that are others than those
// sized for what was asked come from an override, and then count as they are.
func inForce(c candidate, p sizing.Protocol) occupancy.Ceiling {
	sized := c.sizes.Service(p.Services()[0]).Capacity()
	variable := strings.ToUpper(p.Name) + "_CONCURRENCY"
	now := occupancy.Ceiling{
		Protocol: p.Name, Limit: p.Sessions, Places: sized, By: variable,
		Ports: portsOf(c.listeners, p.Name), Cure: fmt.Sprintf("set %s above %d", variable, p.Sessions),
	}
	for i, service := range p.Services() {
		processes, clients, _, ok := c.effective.Limits(service)
		places := sizing.Service{ProcessLimit: processes, ClientLimit: clients}.Capacity()
		if ok && (i == 0 || places < now.Places) {
			now.Places = places
		}
	}
	if now.Places != sized {
		now.Limit, now.By = now.Places, occupancy.Configuration
		now.Cure = fmt.Sprintf("process_limit and client_limit of %s in an override: raise them there, or set %s without them",
			strings.Join(p.Services(), " and "), variable)
	}
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
