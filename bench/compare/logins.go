package main

import (
	"fmt"
	"os"
	"time"

	"pidgeon/bench/table"
)

// settled is the time between a server's first greeting and the first login.
const settled = time.Second

// loginsPerSecond is how many full TLS logins each configuration does with eight
// clients that log in and out as fast as they can. The clients run on the same
// processors, and what they take is counted in "logins per CPU second": on a busy
// machine that is the figure to compare, as it leaves out who else had the CPU.
func (b *bench) loginsPerSecond() error {
	var entries []entry
	for _, c := range b.rows() {
		entries = append(entries, entry{&table.Row{Name: c.name}, func() ([]float64, error) { return b.logins(c) }})
	}
	rows := interleave(b.rounds, entries)
	fmt.Printf("Logins: Dovecot %s, %v each, 8 clients; median (range) of %d rounds.\n\n", b.dialect, b.duration, b.rounds)
	table.Print(os.Stdout, []table.Column{
		{Title: "logins/s", Ratio: true},
		{Title: "logins per CPU second", Ratio: true},
		{Title: "p50 ms", Digits: 1},
		{Title: "p99 ms", Digits: 1},
		{Title: "failed"},
		{Title: "server CPU ms/login", Digits: 2},
		{Title: "clients' share %"},
		{Title: "processors busy", Digits: 1},
	}, rows)
	return nil
}

func (b *bench) logins(c configuration) ([]float64, error) {
	server, stop, err := b.serve(c)
	if err != nil {
		return nil, err
	}
	defer stop()
	time.Sleep(settled)
	processes, err := server.usage()
	if err != nil {
		return nil, err
	}
	l, err := b.load(server.ports, "-logins", b.duration.String())
	if err != nil {
		return nil, err
	}
	defer l.end()
	var ready struct{ Ready bool }
	if err := l.hear(&ready); err != nil {
		return nil, err
	}
	before := processes.CPU()
	l.say()
	var said struct {
		Logins  int     `json:"logins"`
		Failed  int     `json:"failed"`
		Seconds float64 `json:"seconds"`
		P50     float64 `json:"p50_ms"`
		P99     float64 `json:"p99_ms"`
		CPU     float64 `json:"cpu_seconds"`
	}
	if err := l.hear(&said); err != nil {
		return nil, err
	}
	cpu, count := (processes.CPU() - before).Seconds(), float64(max(1, said.Logins))
	return []float64{
		count / said.Seconds, count / (said.CPU + cpu), said.P50, said.P99, float64(said.Failed), cpu * 1000 / count,
		100 * said.CPU / (said.CPU + cpu), (said.CPU + cpu) / said.Seconds,
	}, nil
}
