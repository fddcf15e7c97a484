package sizing_test

import (
	"testing"

	"pidgeon/sizing"
)

func TestCapacity(t *testing.T) {
	cost := sizing.Cost{SecureKiB: 2000, PerformanceKiB: 1000}
	ask := []sizing.Protocol{{Name: "imap", Sessions: 1000, Mode: sizing.Performance}}
	need := sizing.NeedOf(ask, roomy, cost)
	for _, tt := range []struct {
		name    string
		need    sizing.Need
		allowed sizing.Allowed
		want    int
		limit   string
	}{
		{"no limits", need, sizing.Allowed{Files: 1024}, 0, ""},
		{"processes", need, sizing.Allowed{Processes: 60 + 400}, 400, "pids.max"},
		{"more than asked for", need, sizing.Allowed{Processes: 60 + 5000}, 5000, "pids.max"},
		{"memory", need, sizing.Allowed{Processes: 60 + 400, MemoryKiB: 96<<10 + 300_000}, 300, "memory.max"},
		{"both", need, sizing.Allowed{Processes: 60 + 400, MemoryKiB: 96<<10 + 500_000}, 400, "pids.max"},
		{"not even what is idle", need, sizing.Allowed{Processes: 20}, 0, "pids.max"},
		{"nothing asked for", sizing.NeedOf(nil, roomy, cost), sizing.Allowed{Processes: 500}, 0, ""},
	} {
		got, ok := tt.need.Capacity(tt.allowed)
		if ok != (tt.limit != "") || got.Sessions != tt.want || got.Limit != tt.limit {
			t.Errorf("%s: got %+v (%t), want %d by %q", tt.name, got, ok, tt.want, tt.limit)
		}
	}
}

// Where too little is there for what was asked, both ways to look at it agree.
func TestCapacityAgreesWithBottlenecks(t *testing.T) {
	for _, n := range sessions {
		for _, mode := range modes {
			need := sizing.NeedOf(everything(n, mode), roomy, sizing.Costs("2.4"))
			allowed := sizing.Allowed{Processes: need.Processes - 1, MemoryKiB: need.MemoryKiB / 2}
			capacity, ok := need.Capacity(allowed)
			if bottlenecks := need.Bottlenecks(allowed); !ok || len(bottlenecks) == 0 || bottlenecks[0] != capacity {
				t.Errorf("%d, %s: capacity %+v, bottlenecks %+v", n, mode, capacity, bottlenecks)
			}
		}
	}
}

// More sessions by an override do not make another mode.
func TestWith(t *testing.T) {
	auto := sizing.Protocol{Name: "imap", Sessions: 100, Mode: sizing.Auto, Reuse: true}
	if got, want := auto.With(300), (sizing.Protocol{Name: "imap", Sessions: 300, Mode: sizing.Secure, Reuse: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
