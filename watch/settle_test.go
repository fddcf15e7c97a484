package watch

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSettle(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		events []time.Duration // pauses before each event
		due    time.Duration   // after the first event
	}{
		{"one event", []time.Duration{0}, 250 * ms},
		{"a burst", []time.Duration{0, 0, 0, 0}, 250 * ms},
		{"prolonged", []time.Duration{0, 200 * ms, 200 * ms}, 650 * ms},
		{"without end", []time.Duration{
			0, 200 * ms, 200 * ms, 200 * ms, 200 * ms, 200 * ms, 200 * ms, 200 * ms, 200 * ms, 200 * ms, 150 * ms,
		}, 2000 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := settle{quiet: 250 * ms, max: 2000 * ms}
				if s.due != nil {
					t.Fatal("due before any event")
				}
				begin := time.Now()
				for _, pause := range c.events {
					time.Sleep(pause)
					s.touch()
				}
				<-s.due
				if got := time.Since(begin); got != c.due {
					t.Errorf("due after %v, want %v", got, c.due)
				}
			})
		})
	}
}

func TestSettleClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settle{quiet: time.Second, max: 3 * time.Second}
		s.touch()
		time.Sleep(2500 * time.Millisecond) // due, and not taken
		s.clear()
		select {
		case <-s.due:
			t.Error("due although cleared")
		case <-time.After(time.Minute):
		}
		begin := time.Now()
		s.touch()
		<-s.due
		if got := time.Since(begin); got != time.Second {
			t.Errorf("due after %v: the burst before still counts", got)
		}
	})
}
