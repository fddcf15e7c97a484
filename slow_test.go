package main

import (
	"crypto/sha256"
	"testing"
	"time"
)

// TestSlowness follows a candidate that is always too slow, at a poll every 30 s,
// for a day.
func TestSlowness(t *testing.T) {
	var s slowness
	one, other := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("other"))
	begun := time.Now()
	var tried []time.Duration
	for at := time.Duration(0); at < 24*time.Hour; at += 30 * time.Second {
		if s.permits(one, begun.Add(at)) {
			tried = append(tried, at)
			s.noted(one, begun.Add(at))
		}
	}
	if tried[1] != time.Minute || tried[2] != 3*time.Minute || tried[3] != 7*time.Minute || len(tried) != 29 {
		t.Errorf("tried %d times: %v", len(tried), tried)
	}
	if !s.permits(other, begun) {
		t.Error("another candidate has to wait")
	}
	s.noted(other, begun)
	if s.permits(other, begun.Add(59*time.Second)) || !s.permits(other, begun.Add(time.Minute)) {
		t.Error("another candidate does not begin anew")
	}
}
