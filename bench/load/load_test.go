package main

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*time.Millisecond)
	}
	tests := []struct {
		of      []time.Duration
		percent int
		want    float64
	}{
		{nil, 50, 0},
		{hundred[:1], 99, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	}
	for _, tt := range tests {
		if got := percentile(tt.of, tt.percent); got != tt.want {
			t.Errorf("percentile %d of %d is %v, want %v", tt.percent, len(tt.of), got, tt.want)
		}
	}
}

func TestEachCallsOnce(t *testing.T) {
	var mu sync.Mutex
	var got []int
	each(100, 7, func(i int) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, i)
	})
	slices.Sort(got)
	for i := range 100 {
		if len(got) != 100 || got[i] != i {
			t.Fatalf("got %v", got)
		}
	}
}

// A crowd that is turned away is counted in full, with reasons that do not
// differ by address, and one success begins the row anew.
func TestRefusals(t *testing.T) {
	r := refusals{reasons: map[string]int{}}
	r.note(nil, errors.New("read tcp 127.0.1.7:4711->127.0.0.1:993: connection reset"))
	r.note(nil, errors.New("read tcp 127.0.1.8:4712->127.0.0.1:993: connection reset"))
	if got := r.reasons["read tcp …: connection reset"]; got != 2 {
		t.Errorf("got %v", r.reasons)
	}
	if r.inARow.Load() != 2 || r.total() != 2 {
		t.Errorf("%d in a row, %d in all", r.inARow.Load(), r.total())
	}
	s := &session{}
	if r.note(s, nil) != s || r.inARow.Load() != 0 || r.total() != 2 {
		t.Error("a success is not one")
	}
}

// No address gets more sessions than it has ports.
func TestSource(t *testing.T) {
	sessions := map[string]int{}
	for i := range 20_000 {
		sessions[source(i).String()]++
	}
	for address, n := range sessions {
		if n > 10_000 {
			t.Errorf("%d sessions from %s", n, address)
		}
	}
}
