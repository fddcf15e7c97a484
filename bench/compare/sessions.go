package main

import (
	"fmt"
	"os"
	"time"

	"pidgeon/bench/load"
	"pidgeon/bench/usage"
	"pidgeon/sizing"
)

// few is a number of sessions that every row holds. What a session costs is
// compared at it too: pages that all processes share cost each the less the more
// there are.
const few = 100

// beyond is how many sessions are tried over those asked for: the headroom that
// pidgeon documents, and some that have to be turned away.
func (b *bench) beyond() int { return sizing.Headroom(b.sessions) + load.GiveUp }

// sessionsHeld is how many TLS sessions each configuration holds, and what memory
// that takes: proportional set size, of which the server has none before. The rows
// of pidgeon are where sizing.Costs are from.
func (b *bench) sessionsHeld() error {
	fmt.Printf("sessions-asked-for: %d\nsessions-tried: %d\n", b.sessions, b.sessions+b.beyond())
	return b.interleave("Sessions", rowsOf(configurations(b.dialect), (*bench).hold))
}

func (b *bench) hold(c configuration) (string, error) {
	server, err := b.serve(c)
	if err != nil {
		return "", err
	}
	defer server.Kill()
	time.Sleep(calm)
	without := pss(server)
	crowd := &load.Crowd{Port: server.ports.IMAPS, AtOnce: 8}
	defer crowd.Leave()
	b.gather(crowd, min(few, b.sessions))
	time.Sleep(b.settle)
	atFew := (pss(server) - without) / float64(max(1, crowd.Held()))
	b.gather(crowd, b.sessions-few)
	warnings := complaints(server.Log.All())
	b.gather(crowd, b.beyond())
	time.Sleep(b.settle)
	held, processes := crowd.Held(), len(server.PIDs())
	atAll := (pss(server) - without) / float64(max(1, held))
	alive := crowd.Alive()
	if b.only != "" {
		fmt.Fprintf(os.Stderr, "%s: warned of %q; beyond the sessions asked for also of %q\n", c.name, warnings, complaints(server.Log.All())[len(warnings):])
	}
	return fmt.Sprintf("%d held %d alive %d warnings %.1f KiB/session-of-%d %.1f KiB/session %.0f KiB-without %d processes",
		held, alive, len(warnings), atFew, few, atAll, without, processes), nil
}

// pss is the memory of a server in KiB.
func pss(s *server) float64 { return float64(usage.MemoryOf(s.PIDs()...).PSS) }

// gather has more sessions tried.
func (b *bench) gather(crowd *load.Crowd, n int) {
	begin, before := time.Now(), crowd.Held()
	refused := crowd.Grow(max(0, n))
	if b.only != "" {
		fmt.Fprintf(os.Stderr, "held %d of %d more in %.0f s; refused: %v\n", crowd.Held()-before, n, time.Since(begin).Seconds(), refused)
	}
}
