package server

import (
	"context"
	"errors"
	"slices"
	"sync"

	"pidgeon/config"
	"pidgeon/dovecot/master"
	"pidgeon/lifecycle"
	"pidgeon/sizing"
)

// greetings connects to every listener that has a place free, and names those that
// greet, or did when they were asked last. The error, a *master.Refused, names those
// that fell silent: what never greeted is not the fault of a change, and what may only
// be slow is no reason to take one back.
func (s *Server) greetings(ctx context.Context, g lifecycle.Generation) (greeted []string, err error) {
	greeted = slices.Clone(g.Greeted)
	probed := withPlaces(g)
	answers := make([]error, len(probed))
	var all sync.WaitGroup
	for i, l := range probed {
		all.Go(func() { answers[i] = master.Greets(ctx, l) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return greeted, ctx.Err()
	}
	refused := &master.Refused{Partial: true}
	for i, l := range probed {
		switch err := answers[i]; {
		case err == nil && !slices.Contains(greeted, l.Name):
			greeted = append(greeted, l.Name)
		case err == nil:
		case errors.Is(err, master.ErrSilent) || !slices.Contains(greeted, l.Name):
			s.Log.Warn("a listener does not greet", "error", err)
		default:
			refused.Complaints = append(refused.Complaints, err.Error())
		}
	}
	if len(refused.Complaints) > 0 {
		return greeted, refused
	}
	return greeted, nil
}

// spare is how many places must be free besides those of the probes: who connects
// meanwhile shall not be turned away for them. The headroom of a protocol is more.
const spare = 8

// withPlaces leaves out what is full, or nearly.
func withPlaces(g lifecycle.Generation) []config.Listener {
	full := map[string]bool{}
	for _, of := range g.Ceilings {
		counts, err := master.CountConnections(sizing.Ports(of))
		full[of.Protocol] = err != nil || of.Connections(counts)+len(of.Ports)+spare > of.MaxConnections
	}
	return slices.DeleteFunc(slices.Clone(g.Listeners), func(l config.Listener) bool { return full[l.Protocol] })
}
