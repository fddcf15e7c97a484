package main

import (
	"context"
	"fmt"
	"strings"

	"pidgeon/occupancy"
	"pidgeon/sizing"
)

// watchSessions warns when it gets full; what it returns ends that.
func (e *entrypoint) watchSessions() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	look := func(ctx context.Context) []occupancy.Gauge {
		now := e.control.now.Load()
		all, _ := now.census.count(ctx, now.ceilings)
		return now.gauges(all)
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
	now := e.control.now.Load()
	of := now.ceilingOf(g.Name)
	facts := []any{"held", g.Used, "of", g.Limit}
	what := "this container"
	if g.Name != container {
		what, facts = "sessions", append(facts, "protocol", g.Name, "turned_away_above", of.Places)
	}
	if level < occupancy.Full {
		e.log.Warn(what+" filling up", facts...)
		return
	}
	e.log.Warn(what+" nearly full", append(facts, "cure", now.raise(g, of))...)
}

// raise is what makes a ceiling higher.
func (s state) raise(g occupancy.Gauge, of ceiling) string {
	switch {
	case g.Name == container:
		return cure(sizing.Wall{Limit: s.Room.By, Need: s.Room.have + s.Room.have/2})
	case of.By == byConfiguration:
		return fmt.Sprintf("process_limit and client_limit of %s in an override: raise them there, or set %s without them",
			strings.Join(sizing.Protocol{Name: g.Name}.Services(), " and "), concurrency(g.Name))
	}
	return fmt.Sprintf("set %s above %d", of.By, g.Limit)
}

// concurrency is the variable that says how many sessions a protocol holds.
func concurrency(protocol string) string { return strings.ToUpper(protocol) + "_CONCURRENCY" }
