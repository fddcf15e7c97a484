package main

import (
	"fmt"
	"os"
	"time"
)

// waking is how often all sessions end their IDLE and begin it again, and how long
// they idle before.
type waking struct {
	rounds int
	calm   time.Duration
}

// woken says what came of it.
type woken struct {
	Woken   int     `json:"woken"`
	Lost    int     `json:"lost"`
	P99     float64 `json:"p99_ms"`  // of the round in which it was longest
	Seconds float64 `json:"seconds"` // without the calm
}

// wake does so, and returns the sessions that are still served.
func (c client) wake(sessions []*session, w waking, workers int) []*session {
	var all woken
	for range w.rounds {
		time.Sleep(w.calm)
		var t tally
		begin := time.Now()
		each(len(sessions), workers, func(i int) {
			s, begin := sessions[i], time.Now()
			err := c.alive(s)
			t.add(time.Since(begin), err)
			if err == nil {
				err = s.idle()
			}
			_ = s.conn.SetDeadline(time.Time{})
			if err != nil {
				fmt.Fprintf(os.Stderr, "lost user%d: %v\n", s.user, err)
				s.conn.Close()
				sessions[i] = nil
			}
		})
		result, before := t.result(time.Since(begin).Seconds()), len(sessions)
		sessions = present(sessions)
		all.Woken += before
		all.Lost += before - len(sessions)
		all.Seconds += result.Seconds
		all.P99 = max(all.P99, result.P99)
	}
	say(all)
	return sessions
}
