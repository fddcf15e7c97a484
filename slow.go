package main

import (
	"time"

	"pidgeon/config"
)

// slowness spaces out the judgements of a candidate that never comes to one: each
// takes up to 10 s of a processor that others may need.
type slowness struct {
	of   config.Sum
	wait time.Duration
	due  time.Time
}

const (
	firstWait   = time.Minute
	longestWait = time.Hour
)

// noted takes note that a judgement took too long: the next one is due after twice
// the time.
func (s *slowness) noted(of config.Sum, now time.Time) {
	if of != s.of {
		*s = slowness{of: of, wait: firstWait / 2}
	}
	s.wait = min(2*s.wait, longestWait)
	s.due = now.Add(s.wait)
}

// permits reports whether a candidate may be judged now.
func (s *slowness) permits(of config.Sum, now time.Time) bool {
	return of != s.of || !now.Before(s.due)
}
