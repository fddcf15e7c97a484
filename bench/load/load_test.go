package load

import (
	"errors"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

func TestPercentile(t *testing.T) {
	hundred := &Answers{}
	for i := range 100 {
		hundred.add(time.Duration(100-i), nil)
	}
	hundred.add(7, errors.New("no answer"))
	tests := []struct {
		of      *Answers
		percent int
		want    time.Duration
	}{
		{&Answers{}, 50, 0},
		{&Answers{Took: []time.Duration{1}}, 99, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	}
	for _, tt := range tests {
		if got := tt.of.Percentile(tt.percent); got != tt.want {
			t.Errorf("percentile %d of %d is %v, want %v", tt.percent, len(tt.of.Took), got, tt.want)
		}
	}
	if hundred.Failed != 1 {
		t.Errorf("%d failed, want 1", hundred.Failed)
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
	if n := r.inARow.Load(); n != 2 {
		t.Errorf("%d in a row", n)
	}
	s := &pidgeontest.Session{}
	if r.note(s, nil) != s || r.inARow.Load() != 0 || len(r.reasons) != 1 {
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
