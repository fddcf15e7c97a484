package main

import (
	"fmt"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// crowd is the sessions to hold.
type crowd struct {
	count, first, workers, giveUp int
	waking                        waking
}

// held says how many sessions came about, and why others did not.
type held struct {
	Asked   int            `json:"asked"`
	Tried   int            `json:"tried"`
	Held    int            `json:"held"`
	Seconds float64        `json:"seconds"`
	Refused map[string]int `json:"refused,omitempty"`
}

// alive says how many of them were still served when the line came.
type alive struct {
	Alive int `json:"alive"`
}

func (c client) hold(crowd crowd) int {
	sessions := make([]*session, crowd.count)
	begin := time.Now()
	refusals := refusals{reasons: map[string]int{}}
	each(crowd.count, crowd.workers, func(i int) {
		if refusals.inARow.Load() >= int64(crowd.giveUp) {
			return
		}
		s, err := c.open(crowd.first + i)
		if err == nil {
			err = c.settle(s)
		}
		sessions[i] = refusals.note(s, err)
	})
	there := present(sessions)
	say(held{crowd.count, refusals.total() + len(there), len(there), time.Since(begin).Seconds(), refusals.reasons})
	await()
	if crowd.waking.rounds > 0 {
		there = c.wake(there, crowd.waking, crowd.workers)
	}
	var living atomic.Int64
	each(len(there), crowd.workers, func(i int) {
		if err := c.alive(there[i]); err == nil {
			living.Add(1)
		} else {
			fmt.Fprintf(os.Stderr, "lost user%d: %v\n", there[i].user, err)
		}
	})
	say(alive{int(living.Load())})
	return 0
}

func present(sessions []*session) []*session {
	var there []*session
	for _, s := range sessions {
		if s != nil {
			there = append(there, s)
		}
	}
	return there
}

// refusals are counted by reason. Whoever turns many away one after the other
// turns away the next ones too.
type refusals struct {
	inARow  atomic.Int64
	mu      sync.Mutex
	reasons map[string]int
}

// "read tcp 127.0.0.1:4711->127.0.0.1:993: …" differs for each session.
var addresses = regexp.MustCompile(`[\d.]+:\d+->[\d.]+:\d+`)

func (r *refusals) note(s *session, err error) *session {
	if err == nil {
		r.inARow.Store(0)
		return s
	}
	r.inARow.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons[addresses.ReplaceAllString(err.Error(), "…")]++
	if s != nil {
		s.conn.Close()
	}
	return nil
}

func (r *refusals) total() (n int) {
	for _, count := range r.reasons {
		n += count
	}
	return n
}

// each calls f for 0 to n-1 from some goroutines at once.
func each(n, workers int, f func(int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}
