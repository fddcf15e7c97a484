package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"pidgeon/dovecot"
	"pidgeon/master"
	"pidgeon/occupancy"
)

// listenForGreetings connects to every listener that has a place free. The error,
// a *master.Refused, names those that fell silent: what never greeted is not the
// fault of a change, and what may only be slow is no reason to take one back.
func (e *entrypoint) listenForGreetings(ctx context.Context) error {
	if e.greeted == nil {
		e.greeted = map[string]bool{}
	}
	probed := e.withPlaces(e.bound)
	answers := make([]error, len(probed))
	var all sync.WaitGroup
	for i, l := range probed {
		all.Go(func() { answers[i] = master.Listener(l).Greets(ctx) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	refused := &master.Refused{Partial: true}
	for i, l := range probed {
		switch err := answers[i]; {
		case err == nil:
			e.greeted[l.Name] = true
		case errors.Is(err, master.ErrSilent) || !e.greeted[l.Name]:
			e.log.Warn("a listener does not greet", "error", err)
		default:
			refused.Complaints = append(refused.Complaints, err.Error())
		}
	}
	if len(refused.Complaints) > 0 {
		return refused
	}
	return nil
}

// spare is how many places must be free besides those of the probes: who connects
// meanwhile shall not be turned away for them. The headroom of a protocol is more.
const spare = 8

// withPlaces leaves out what is full, or nearly.
func (e *entrypoint) withPlaces(listeners []dovecot.Listener) []dovecot.Listener {
	full := map[string]bool{}
	for _, of := range e.state.ceilings {
		counts, err := master.CountConnections(occupancy.Ports(of))
		full[of.Protocol] = err != nil || of.Connections(counts)+len(of.Ports)+spare > of.Places
	}
	return slices.DeleteFunc(slices.Clone(listeners), func(l dovecot.Listener) bool { return full[l.Protocol] })
}
