package main

import (
	"slices"
	"sync"
	"syscall"
	"time"
)

// logins says how many logins there were, how long each took until its answer,
// and what they took of the processor here, on the side of the clients.
type logins struct {
	Logins     int     `json:"logins"`
	Failed     int     `json:"failed"`
	Seconds    float64 `json:"seconds"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

// ready says that every user has logged in once: the first time Dovecot makes
// the mailboxes. The measuring begins with a line on standard input.
type ready struct {
	Ready bool `json:"ready"`
}

func (c client) logins(duration time.Duration, users, workers int) int {
	each(users, workers, func(i int) { _, _ = c.loginAndOut(i) })
	say(ready{true})
	await()
	var tally tally
	begin, cpu := time.Now(), cpuSeconds()
	each(workers, workers, func(worker int) {
		for i := worker; time.Since(begin) < duration; i += workers {
			tally.add(c.loginAndOut(i % users))
		}
	})
	result := tally.result(time.Since(begin).Seconds())
	result.CPUSeconds = cpuSeconds() - cpu
	say(result)
	if result.Logins == 0 {
		return 1
	}
	return 0
}

// loginAndOut returns how long it took from connecting to the answer to LOGIN.
func (c client) loginAndOut(i int) (time.Duration, error) {
	begin := time.Now()
	s, err := c.open(i)
	if err != nil {
		return 0, err
	}
	took := time.Since(begin)
	_ = s.ask("z", "LOGOUT")
	s.conn.Close()
	return took, nil
}

type tally struct {
	mu     sync.Mutex
	took   []time.Duration
	failed int
}

func (t *tally) add(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed++
		return
	}
	t.took = append(t.took, took)
}

func (t *tally) result(seconds float64) logins {
	slices.Sort(t.took)
	return logins{
		Logins: len(t.took), Failed: t.failed, Seconds: seconds,
		P50: percentile(t.took, 50), P99: percentile(t.took, 99),
	}
}

// percentile of sorted times, in milliseconds.
func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100].Seconds() * 1000
}

// cpuSeconds is what this process has used, all threads.
func cpuSeconds() float64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}
