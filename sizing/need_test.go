package sizing_test

import (
	"testing"

	"pidgeon/sizing"
)

func TestCapacity(t *testing.T) {
	cost := sizing.Cost{Idle: 100_000, LoginClient: 300, Session: 700}
	ask := imap(1000, sizing.Performance)
	const idle = 56 + 2*2 // two login processes, and twice as many while a reload is new
	for _, tt := range []struct {
		name    string
		ask     []sizing.Protocol
		allowed sizing.Allowed
		want    int
		limit   string
	}{
		{"no limits", ask, sizing.Allowed{Files: 1024}, 0, ""},
		{"processes", ask, sizing.Allowed{Processes: idle + 400}, 400, "pids.max"},
		{"more than asked for", ask, sizing.Allowed{Processes: idle + 5000}, 5000, "pids.max"},
		{"memory", ask, sizing.Allowed{Processes: idle + 400, MemoryKiB: 100_000 + 300_000, MemoryBy: "memory.max"}, 300, "memory.max"},
		{"both", ask, sizing.Allowed{Processes: idle + 400, MemoryKiB: 100_000 + 500_000, MemoryBy: "memory.max"}, 400, "pids.max"},
		{"nothing asked for", nil, sizing.Allowed{Processes: 500}, 0, ""},
	} {
		room := sizing.Budget{Machine: noInotify, Allowed: tt.allowed, Cost: cost}
		got, ok := room.Capacity(tt.ask)
		if ok != (tt.limit != "") || ok && (got.Sessions < tt.want-2 || got.Sessions > tt.want) || got.Limit != tt.limit {
			t.Errorf("%s: got %+v (%t), want %d by %q", tt.name, got, ok, tt.want, tt.limit)
		}
	}
}

// More sessions by an override do not make another mode.
func TestWith(t *testing.T) {
	auto := sizing.Protocol{Name: "imap", Sessions: 100, Mode: sizing.Auto, Reuse: true}
	if got, want := auto.WithSessions(300), (sizing.Protocol{Name: "imap", Sessions: 300, Mode: sizing.Secure, Reuse: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
