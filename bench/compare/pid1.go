package main

import (
	"fmt"
	"os"
	"time"

	"pidgeon/bench/usage"
)

// calm is the time for a server to come to rest: Dovecot's idle processes end
// after a minute, and PID 1 hears of none of them.
const calm = 5 * time.Second

// pidOne is what PID 1 takes by itself: its binary, its memory, and what it does
// while nothing happens. All rows idle side by side, and are watched at once.
func (b *bench) pidOne() error {
	var servers []*server
	defer func() {
		for _, s := range servers {
			s.Kill()
		}
	}()
	idle := func(s spec, err error) error {
		if err != nil {
			return err
		}
		server, err := b.start(s)
		if err == nil {
			servers = append(servers, server)
		}
		return err
	}
	for _, i := range inits {
		s, _, err := b.rendered(i)
		if err := idle(s, err); err != nil {
			fmt.Fprintf(os.Stderr, "compare: %s: %v\n", i.name, err)
		}
	}
	programs := map[string]*bench{"pidgeon-": b}
	if b.before != "" {
		programs["before-pidgeon-"] = b.ofBefore()
	}
	for name, of := range programs {
		for _, mode := range []string{"secure", "performance"} {
			if err := idle(of.ours(name+mode, mode, freePorts())); err != nil {
				return err
			}
		}
	}
	time.Sleep(calm)
	for range b.rounds {
		if err := b.watch(servers); err != nil {
			return err
		}
	}
	return nil
}

// watch lets all idle for a round, and looks each second whether they did.
func (b *bench) watch(servers []*server) error {
	first, last, busy := activities(servers), activities(servers), make([]int, len(servers))
	begin := time.Now()
	for time.Since(begin) < b.duration {
		time.Sleep(time.Second)
		for i, now := range activities(servers) {
			if now != last[i] {
				busy[i]++
			}
			last[i] = now
		}
	}
	minutes := time.Since(begin).Minutes()
	for i, s := range servers {
		program, err := os.Stat(fmt.Sprintf("/proc/%d/exe", s.PID()))
		if err != nil {
			return err
		}
		memory := usage.MemoryOf(s.PID())
		printLine("PID1", s.name, fmt.Sprintf("%.1f binary-kB %.1f resident-kB %.1f anonymous-kB %.2f awake-s/min %.2f switches/min %.6f CPU-sec/min",
			float64(program.Size())/1e3, kB(memory.RSS), kB(memory.Anonymous), float64(busy[i])/minutes,
			float64(last[i].Switches-first[i].Switches)/minutes, (last[i].CPU-first[i].CPU).Seconds()/minutes))
	}
	return nil
}

func activities(servers []*server) (all []usage.Activity) {
	for _, s := range servers {
		all = append(all, usage.ActivityOf(s.PID()))
	}
	return all
}

func kB(kib int) float64 { return float64(kib) * 1.024 }
