package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"pidgeon/bench/table"
	"pidgeon/bench/usage"
	"pidgeon/sizing"
)

// few is a number of sessions that every row holds. What a session costs is
// compared at it too: pages that all processes share cost each the less the more
// there are.
const few = 100

// beyond is how many sessions are tried over those asked for: the headroom that
// pidgeon documents, and some that have to be turned away.
func (b *bench) beyond() int { return sizing.Headroom(b.sessions) + b.extra }

const costColumn = "KiB/session, all"

var sessionColumns = []table.Column{
	{Title: "held"},
	{Title: "alive"},
	{Title: "warnings"},
	{Title: fmt.Sprintf("KiB/session at %d", few), Ratio: true},
	{Title: costColumn, Ratio: true},
	{Title: "MiB per 1000"},
	{Title: "MiB without"},
	{Title: "processes"},
}

// sessionsHeld is how many TLS sessions each configuration holds, and what memory
// that takes: proportional set size, of which the server has none before.
func (b *bench) sessionsHeld() error {
	var entries []entry
	for _, c := range b.rows() {
		entries = append(entries, entry{&table.Row{Name: c.name}, func() ([]float64, error) { return b.hold(c) }})
	}
	rows := interleave(b.rounds, entries)
	fmt.Printf("Sessions: Dovecot %s, %d asked for, %d tried, state %q; median (range) of %d rounds.\n\n",
		b.dialect, b.sessions, b.sessions+b.beyond(), b.state, b.rounds)
	table.Print(os.Stdout, sessionColumns, rows)
	printCosts(rows)
	return nil
}

func (b *bench) hold(c configuration) ([]float64, error) {
	server, stop, err := b.serve(c)
	if err != nil {
		return nil, err
	}
	defer stop()
	processes, err := server.usage()
	if err != nil {
		return nil, err
	}
	time.Sleep(calm)
	without := processes.Memory().PSS
	var all crowds
	defer func() { all.end() }()
	if err = b.gather(server, &all, min(few, b.sessions)); err != nil {
		return nil, err
	}
	time.Sleep(b.settle)
	atFew := perSession(processes.Memory(), without, all.held())
	if err = b.gather(server, &all, b.sessions-few); err != nil {
		return nil, err
	}
	warnings := complaints(server.logged())
	if err = b.gather(server, &all, b.beyond()); err != nil {
		return nil, err
	}
	time.Sleep(b.settle)
	atAll, count := perSession(processes.Memory(), without, all.held()), len(processes.PIDs())
	alive, err := all.alive()
	if err != nil {
		return nil, err
	}
	if b.only != "" {
		fmt.Fprintf(os.Stderr, "%s: warned of %q; beyond the sessions asked for also of %q\n", c.name, warnings, complaints(server.logged())[len(warnings):])
	}
	return []float64{
		float64(all.held()), float64(alive), float64(len(warnings)), atFew, atAll,
		atAll * 1000 / 1024, float64(without) / 1024, float64(count),
	}, nil
}

// serve starts a configuration's server.
func (b *bench) serve(c configuration) (*server, func(), error) {
	p, err := b.free.pair()
	if err != nil {
		return nil, nil, err
	}
	spec, err := b.spec(c, p, b.sessions)
	if err != nil {
		return nil, nil, err
	}
	server, err := b.start(spec, p)
	if err != nil && server != nil {
		server.stop()
	}
	return server, func() { server.stop() }, err
}

func perSession(now usage.Memory, without, sessions int) float64 {
	return float64(now.PSS-without) / float64(max(1, sessions))
}

// printCosts prints the line of sizing.Costs for the dialect.
func printCosts(rows []*table.Row) {
	secure, performance := cost(rows, "pidgeon secure"), cost(rows, "pidgeon performance")
	if secure > 0 && performance > 0 {
		fmt.Printf("\nFor sizing/need.go: Cost{SecureKiB: %d, PerformanceKiB: %d}\n", secure, performance)
	}
}

func cost(rows []*table.Row, name string) int {
	i := slices.IndexFunc(rows, func(r *table.Row) bool { return r.Name == name })
	column := slices.IndexFunc(sessionColumns, func(c table.Column) bool { return c.Title == costColumn })
	if i < 0 || len(rows[i].Samples) == 0 {
		return 0
	}
	return int(table.Median(rows[i].Samples[column]))
}
