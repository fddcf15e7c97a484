package main

import (
	"context"
	"errors"
	"runtime/debug"

	"pidgeon/master"
	"pidgeon/occupancy"
)

// census is where the running Dovecot is counted.
type census struct {
	master  *master.Process // nil before the start
	baseDir string
}

// count counts what is held now. What cannot be known stays unknown, with the
// reason in the error; it never takes longer than anvil may.
func (c census) count(ctx context.Context, ceilings []occupancy.Ceiling) ([]occupancy.Usage, error) {
	defer debug.FreeOSMemory() // what a count has used is not needed until the next one
	sessions, err := map[string]master.Sessions(nil), errors.New("asking anvil: Dovecot does not run yet")
	if c.master != nil {
		sessions, err = c.master.CountSessions(ctx, c.baseDir)
	}
	connections, err2 := master.CountConnections(occupancy.Ports(ceilings...))
	all := make([]occupancy.Usage, len(ceilings))
	for i, of := range ceilings {
		all[i].Ceiling = of
		if s := sessions[of.Protocol]; err == nil {
			all[i].Sessions, all[i].Older = &s.All, s.Older
		}
		if n := of.Connections(connections); err2 == nil {
			all[i].Connections = &n
		}
	}
	return all, errors.Join(err, err2)
}

// watchSessions warns when it gets full; what it returns ends that.
func (e *entrypoint) watchSessions() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	look := func(ctx context.Context) []occupancy.Gauge {
		now := e.control.now.Load()
		all, _ := now.census.count(ctx, now.ceilings)
		return occupancy.Gauges(all, now.Room)
	}
	go func() {
		defer close(done)
		occupancy.Watch(ctx, e.master, look, e.warn)
	}()
	return func() {
		cancel()
		<-done
	}
}

// warn says that a limit comes near, and what raises it while there is time.
func (e *entrypoint) warn(g occupancy.Gauge, level int) {
	facts := []any{"held", g.Used, "of", g.Limit}
	what := "this container"
	if g.Name != occupancy.Container {
		what, facts = "sessions", append(facts, "protocol", g.Name, "turned_away_above", g.Places)
	}
	if level < occupancy.Full {
		e.log.Warn(what+" filling up", facts...)
		return
	}
	e.log.Warn(what+" nearly full", append(facts, "cure", g.Cure)...)
}
