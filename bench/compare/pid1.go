package main

import (
	"fmt"
	"os"
	"time"

	"pidgeon/bench/table"
	"pidgeon/bench/usage"
)

// calm is the time for a server to come to rest: Dovecot's idle processes end
// after a minute, and PID 1 hears of none of them.
const calm = 5 * time.Second

// pidOne is what PID 1 takes by itself: its binary, its memory, and what it does
// while nothing happens. All rows idle side by side, and are watched at once.
func (b *bench) pidOne() error {
	var rows []*table.Row
	var servers []*server // nil where an init could not be had
	defer func() {
		for _, s := range servers {
			if s != nil {
				s.stop()
			}
		}
	}()
	for _, p := range b.pidOnes() {
		var s *server
		var err error
		if p.row.Note == "" {
			if s, err = b.idle(p.spec); err != nil {
				return err
			}
		}
		rows, servers = append(rows, p.row), append(servers, s)
	}
	time.Sleep(calm)
	for range b.rounds {
		if err := b.watch(rows, servers); err != nil {
			return err
		}
	}
	fmt.Printf("PID 1: Dovecot %s, idle; median (range) of %d rounds of %v.\n\n", b.dialect, b.rounds, b.duration)
	table.Print(os.Stdout, []table.Column{
		{Title: "binary MB", Digits: 2},
		{Title: "resident MB", Digits: 2},
		{Title: "anonymous MB", Digits: 2},
		{Title: "seconds awake/min", Digits: 1},
		{Title: "context switches/min", Digits: 1},
		{Title: "CPU ms/min", Digits: 2},
	}, rows)
	return nil
}

// A candidate for PID 1.
type candidate struct {
	row  *table.Row
	spec func(ports) spec
}

func (b *bench) pidOnes() []candidate {
	var all []candidate
	for _, i := range inits {
		all = append(all, candidate{b.row(i), func(p ports) spec { s, _ := b.rendered(i, p); return s }})
	}
	for _, mode := range []string{"secure", "performance"} {
		name := "pidgeon " + mode
		all = append(all, candidate{&table.Row{Name: name}, func(p ports) spec { return b.pidgeonStart(name, mode, "new", p) }})
	}
	return all
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

// watch lets all idle for a round, and looks each second whether they did.
func (b *bench) watch(rows []*table.Row, servers []*server) error {
	first := activities(servers)
	last, busy := first, make([]int, len(servers))
	begin := time.Now()
	for time.Since(begin) < b.duration {
		time.Sleep(time.Second)
		now := activities(servers)
		for i := range now {
			if now[i] != last[i] {
				busy[i]++
			}
		}
		last = now
	}
	minutes := time.Since(begin).Minutes()
	for i, s := range servers {
		if s == nil {
			continue
		}
		info, err := os.Stat(fmt.Sprintf("/proc/%d/exe", s.pid()))
		if err != nil {
			return err
		}
		memory := usage.MemoryOf(s.pid())
		rows[i].Add(
			float64(info.Size())/mb, float64(memory.RSS)*1024/mb, float64(memory.Anonymous)*1024/mb, float64(busy[i])/minutes,
			float64(last[i].Switches-first[i].Switches)/minutes, milliseconds(last[i].CPU-first[i].CPU)/minutes,
		)
	}
	return nil
}

func activities(servers []*server) []usage.Activity {
	all := make([]usage.Activity, len(servers))
	for i, s := range servers {
		if s != nil {
			all[i] = usage.ActivityOf(s.pid())
		}
	}
	return all
}

const mb = 1e6
