package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"pidgeon/bench/table"
	"pidgeon/bench/usage"
)

// calm is the time for a server to come to rest: Dovecot's idle processes end
// after a minute, and PID 1 hears of none of them.
const calm = 5 * time.Second

// pidOne is what PID 1 takes by itself: its binary, its memory, and what it does
// while nothing happens. All rows idle side by side.
func (b *bench) pidOne() error {
	var entries []entry
	for _, i := range inits {
		row, ok := b.had(i)
		if !ok || i.command == nil {
			row.Note = absent(ok)
			entries = append(entries, entry{row: row})
			continue
		}
		server, err := b.idle(func(p ports) spec { s, _ := b.rendered(i, p); return s })
		if err != nil {
			return err
		}
		defer server.stop()
		entries = append(entries, entry{row, func() ([]float64, error) { return b.watch(server) }})
	}
	for _, mode := range []string{"secure", "performance"} {
		name := "pidgeon " + mode
		server, err := b.idle(func(p ports) spec { return b.pidgeonStart(name, mode, "new", p) })
		if err != nil {
			return err
		}
		defer server.stop()
		entries = append(entries, entry{&table.Row{Name: name}, func() ([]float64, error) { return b.watch(server) }})
	}
	time.Sleep(calm)
	rows := interleave(b.rounds, entries)
	fmt.Printf("PID 1: Dovecot %s, idle; median (range) of %d rounds of %v.\n\n", b.dialect, b.rounds, b.duration)
	table.Print(os.Stdout, []table.Column{
		{Title: "binary MB", Digits: 2},
		{Title: "resident MB", Digits: 2},
		{Title: "anonymous MB", Digits: 2},
		{Title: "wake-ups/s", Digits: 2},
		{Title: "CPU µs/s", Digits: 1},
	}, rows)
	return nil
}

func (b *bench) idle(of func(ports) spec) (*server, error) {
	p, err := b.free.pair()
	if err != nil {
		return nil, err
	}
	server, err := b.start(of(p), p)
	if err != nil && server != nil {
		server.stop()
	}
	return server, err
}

func (b *bench) watch(s *server) ([]float64, error) {
	before := usage.ActivityOf(s.pid())
	begin := time.Now()
	time.Sleep(b.duration)
	after, seconds := usage.ActivityOf(s.pid()), time.Since(begin).Seconds()
	memory := usage.MemoryOf(s.pid())
	info, err := os.Stat(filepath.Join("/proc", fmt.Sprint(s.pid()), "exe"))
	if err != nil {
		return nil, err
	}
	const mb = 1e6
	return []float64{
		float64(info.Size()) / mb, float64(memory.RSS) * 1024 / mb, float64(memory.Anonymous) * 1024 / mb,
		float64(after.Switches-before.Switches) / seconds, float64((after.CPU - before.CPU).Microseconds()) / seconds,
	}, nil
}
