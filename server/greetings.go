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

// greetings connects to every listener with a free place. It returns the listeners that
// greet or have greeted before, and why others are silent. mute has the reasons of those
// that greeted before and refuse now: only they speak against a change, because a listener
// that never greeted was silent before it, and one that says nothing may be slow.
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

// spare is how many places must be free besides those of the probes, so that no client is
// turned away meanwhile. The headroom of a protocol is larger.
const spare = 8

// withPlaces leaves out mute listeners, and those of protocols that are full, or nearly.
func withPlaces(g lifecycle.Generation) []config.Listener {
	full := map[string]bool{}
	for _, of := range g.Ceilings {
		counts, err := master.CountConnections(sizing.Ports(of))
		full[of.Protocol] = err != nil || of.Connections(counts)+len(of.Ports)+spare > of.MaxConnections
	}
	return slices.DeleteFunc(slices.Clone(g.Listeners), func(l config.Listener) bool { return l.Mute || full[l.Protocol] })
}
