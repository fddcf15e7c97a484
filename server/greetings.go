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

// greetings connects to every listener that has a place free. It names those that greet,
// or have greeted before, and tells why others are silent. Mute is why those are that
// fell silent for certain: what never greeted is not the fault of a change, and what may
// only be slow is no reason to take one back.
func (s *Server) greetings(ctx context.Context, g lifecycle.Generation) (greeted []string, silent map[string]string, mute []string) {
	greeted, silent = slices.Clone(g.Greeted), map[string]string{}
	probed := withPlaces(g)
	answers := make([]error, len(probed))
	var all sync.WaitGroup
	for i, l := range probed {
		all.Go(func() { answers[i] = s.master.Greets(ctx, l) })
	}
	all.Wait()
	for i, l := range probed {
		err, before := answers[i], slices.Contains(greeted, l.Name)
		switch {
		case err == nil && !before:
			greeted = append(greeted, l.Name)
		case err == nil || ctx.Err() != nil:
		case before && !errors.Is(err, master.ErrSilent):
			mute = append(mute, err.Error())
			fallthrough
		default:
			silent[l.Name] = err.Error()
		}
	}
	return greeted, silent, mute
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
