package sizing_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"pidgeon/sizing"
)

// noInotify has nothing hibernate.
var noInotify = sizing.Machine{CPUs: 2, Files: 1 << 20, Inotify: 1}

func reusing(n int, mode sizing.Mode) []sizing.Protocol {
	protocols := everything(n, mode)
	for i := range protocols {
		protocols[i].Reuse = true
	}
	return protocols
}

func within(n sizing.Need, a sizing.Allowed) bool {
	return (a.Processes == 0 || n.Processes <= a.Processes) && (a.MemoryKiB == 0 || n.MemoryKiB <= a.MemoryKiB) && (a.Files == 0 || n.Files <= a.Files)
}

func held(protocols []sizing.Protocol) (n int) {
	for _, p := range protocols {
		n += p.Sessions
	}
	return n
}

// Whatever is asked for, what may be let in fits; what does not is as much as fits, and
// the limit that keeps out the rest is named.
func TestFit(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		files := []int{512, 1024, 4096, 1 << 20}[random.IntN(4)]
		room := sizing.Budget{
			Machine: sizing.Machine{CPUs: 1 + random.IntN(8), Files: files, Inotify: random.IntN(2) * 128},
			Allowed: sizing.Allowed{Processes: 150 + random.IntN(3000), MemoryKiB: (192 + random.IntN(4096)) << 10, MemoryBy: "memory.max", Files: files},
			Cost:    sizing.Costs([]string{"2.3", "2.4"}[random.IntN(2)]),
		}
		ask := reusing(0, "")[:1+random.IntN(4)]
		for i := range ask {
			ask[i].Sessions, ask[i].Mode = 1+random.IntN(3000), modes[random.IntN(len(modes))]
			ask[i].Auto = random.IntN(4) == 0
		}
		fitted := room.Fit(ask)
		if !within(room.Need(fitted), room.Allowed) {
			t.Fatalf("%+v of %+v\nis fitted to %+v\nwhich needs %+v", ask, room, fitted, room.Need(fitted))
		}
		fewer := false
		for i, p := range fitted {
			if fewer = fewer || p.Asked > p.Sessions || p.Auto; p.Asked == 0 && p.Sessions != ask[i].Sessions || p.Secure() != ask[i].Secure() {
				t.Fatalf("%+v became %+v without a word", ask[i], p)
			}
		}
		if walls := room.Bottlenecks(fitted); fewer != (len(walls) > 0) {
			t.Fatalf("%+v of %+v\nis fitted to %+v\nfor %+v", ask, room, fitted, walls)
		}
		for i := range fitted {
			fitted[i].Sessions += 4 + fitted[i].Sessions/20
		}
		if fewer && within(room.Need(fitted), room.Allowed) {
			t.Fatalf("%+v of %+v: there is room for %+v", ask, room, fitted)
		}
	}
}

func TestFitByLimit(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ask     []sizing.Protocol
		allowed sizing.Allowed
		want    int
		share   int
		limit   string
	}{
		{"without limit", imap(5000, sizing.Performance), sizing.Allowed{}, 5000, 1, ""},
		{"processes", imap(1000, sizing.Performance), sizing.Allowed{Processes: 200}, 140, 1, "pids.max"},
		{"processes for pairs", imap(1000, sizing.Secure), sizing.Allowed{Processes: 200}, 71, 0, "pids.max"},
		{"memory that suffices when it is shared", imap(1000, sizing.Performance), sizing.Allowed{MemoryKiB: 1 << 20, MemoryBy: "memory.max"}, 1000, 3, ""},
		{"memory that does not", imap(1000, sizing.Performance), sizing.Allowed{MemoryKiB: 256 << 10, MemoryBy: "memory.max"}, 442, 10, "memory.max"},
		{"memory for pairs", imap(1000, sizing.Secure), sizing.Allowed{MemoryKiB: 256 << 10, MemoryBy: "memory.max"}, 55, 0, "memory.max"},
		{"files", imap(1000, sizing.Performance), sizing.Allowed{Files: 1024}, 821, 1, "ulimit -n"},
		{"no headroom is left", imap(1000, sizing.Performance), sizing.Allowed{Processes: 60 + 1005}, 1000, 1, ""},
	} {
		ask := tt.ask
		ask[0].Reuse = true
		machine := noInotify
		if tt.allowed.Files > 0 {
			machine.Files = tt.allowed.Files
		}
		room := sizing.Budget{Machine: machine, Allowed: tt.allowed, Cost: sizing.Costs("2.4")}
		fitted := room.Fit(ask)
		walls := room.Bottlenecks(fitted)
		if got := held(fitted); got < tt.want-5 || got > tt.want+5 || fitted[0].Share != tt.share {
			t.Errorf("%s: %+v, want %d with %d to a process", tt.name, fitted, tt.want, tt.share)
		}
		if len(walls) > 0 != (tt.limit != "") || tt.limit != "" && walls[0].Limit != tt.limit {
			t.Errorf("%s: limited by %+v, want %s", tt.name, walls, tt.limit)
		}
	}
}

// Mail of several system users, or a login process each, is not shared.
func TestShareNot(t *testing.T) {
	room := sizing.Budget{Machine: roomy, Allowed: sizing.Allowed{MemoryKiB: 1 << 10, MemoryBy: "memory.max"}, Cost: sizing.Costs("2.4")}
	for _, ask := range [][]sizing.Protocol{reusing(1000, sizing.Secure), everything(1000, sizing.Performance)} {
		for _, p := range room.Fit(ask) {
			if p.Share > 1 {
				t.Errorf("%d clients of %s share a process", p.Share, p.Name)
			}
		}
	}
}

// Without a number a protocol gets what those with one leave.
func TestFitAuto(t *testing.T) {
	room := sizing.Budget{Machine: noInotify, Allowed: sizing.Allowed{Processes: 1000}, Cost: sizing.Costs("2.4")}
	auto := func(name string) sizing.Protocol {
		return sizing.Protocol{Name: name, Auto: true, Mode: sizing.Auto, Reuse: true}
	}
	fixed := sizing.Protocol{Name: "sieve", Sessions: 100, Mode: sizing.Secure}
	for _, tt := range []struct {
		name string
		ask  []sizing.Protocol
		want []int
	}{
		{"alone", []sizing.Protocol{auto("imap")}, []int{940}},
		{"beside a fixed one", []sizing.Protocol{auto("imap"), fixed}, []int{702, 100}},
		{"beside another", []sizing.Protocol{auto("imap"), auto("pop3"), fixed}, []int{348, 348, 100}},
		{"beside one that takes all", []sizing.Protocol{auto("imap"), {Name: "sieve", Sessions: 5000, Mode: sizing.Secure}}, []int{1, 468}},
	} {
		var got []int
		for _, p := range room.Fit(tt.ask) {
			got = append(got, p.Sessions)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	for _, p := range room.Fit([]sizing.Protocol{auto("imap"), fixed}) {
		if p.Secure() != (p.Name == "sieve") {
			t.Errorf("%+v has the wrong mode", p)
		}
	}
}
