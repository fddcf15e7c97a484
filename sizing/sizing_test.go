package sizing_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"pidgeon/sizing"
)

var (
	sessions = []int{1, 10, 100, 101, 1000, 1100, 2500, 5000, 10000}
	modes    = []sizing.Mode{sizing.Auto, sizing.Secure, sizing.Performance}
	// Docker's usual hard limit on open files.
	roomy = sizing.Machine{CPUs: 2, Files: 1 << 20}
)

func imap(n int, mode sizing.Mode) []sizing.Protocol {
	return []sizing.Protocol{{Name: "imap", Sessions: n, Mode: mode}}
}

func everything(n int, mode sizing.Mode) []sizing.Protocol {
	all := imap(n, mode)
	for _, name := range []string{"pop3", "submission", "sieve"} {
		all = append(all, sizing.Protocol{Name: name, Sessions: n, Mode: mode})
	}
	return all
}

// What Dovecot 2.3.19 and 2.4.1 give services that have no size of their own.
const (
	stockURLAuthLogins = 100
	stockLMTP          = 100
	stockVSZ           = 256
)

// checkRules measures sizes by the rules that were found on a running Dovecot,
// written down once more: the program's own formulas would agree with themselves.
func checkRules(t *testing.T, sizes sizing.Sizes, protocols []sizing.Protocol) {
	t.Helper()
	logins, live, lookups := stockURLAuthLogins, 0, stockLMTP
	for _, p := range protocols {
		login, session := sizes.Service(loginOf(p.Name)), sizes.Service(sessionOf(p.Name))
		logins += login.ProcessLimit
		live += login.ProcessLimit + session.ProcessLimit
		if session.Requests != 1 {
			lookups += session.ProcessLimit
		}
		if held := min(login.ProcessLimit*login.ClientLimit, session.ProcessLimit*session.ClientLimit); held < p.Sessions {
			t.Errorf("%s holds %d TLS sessions, asked for %d", p.Name, held, p.Sessions)
		}
		if need := 32*1024 + 128*login.ClientLimit; max(stockVSZ, login.VSZLimitMiB)*1024 < need {
			t.Errorf("%s has vsz_limit %d MiB, needs %d KiB", login.Name, login.VSZLimitMiB, need)
		}
		if need := 2*login.ClientLimit + 50; sizes.Files < need {
			t.Errorf("%d files, and a process of %s opens %d", sizes.Files, login.Name, need)
		}
		if login.ProcessMinAvail > login.ProcessLimit {
			t.Errorf("%s has %d processes ready out of %d", login.Name, login.ProcessMinAvail, login.ProcessLimit)
		}
	}
	atLeast := map[string]int{
		"auth":   logins + lookups,
		"anvil":  2 + logins + 1,
		"stats":  live + 20,
		"config": live,
	}
	for name, need := range atLeast {
		if got := sizes.Service(name).ClientLimit; got < need {
			t.Errorf("%s has client_limit %d, needs %d", name, got, need)
		}
	}
	for _, s := range sizes.Services {
		if s.Name != "anvil" && s.Name != "config" && sizes.Files < s.ClientLimit { // a reserve is no need
			t.Errorf("%d files, fewer than the client_limit %d of %s", sizes.Files, s.ClientLimit, s.Name)
		}
	}
}

// checkShape holds for every machine, be it ever so small.
func checkShape(t *testing.T, sizes sizing.Sizes) {
	t.Helper()
	if !slices.IsSortedFunc(sizes.Services, func(a, b sizing.Service) int { return cmp.Compare(a.Name, b.Name) }) {
		t.Errorf("services are not in the order of their names: %v", sizes.Services)
	}
	for _, s := range sizes.Services {
		for _, n := range []int{s.ProcessLimit, s.ClientLimit, s.ProcessMinAvail, s.VSZLimitMiB} {
			if n < 0 || n > math.MaxUint32 {
				t.Errorf("%s: %d is no number for Dovecot: %+v", s.Name, n, s)
			}
		}
		if s.ClientLimit == 0 && s.ProcessLimit == 0 {
			t.Errorf("%s has no limit", s.Name)
		}
	}
}

func loginOf(protocol string) string { return sessionOf(protocol) + "-login" }

func sessionOf(protocol string) string {
	if protocol == "sieve" {
		return "managesieve"
	}
	return protocol
}

func TestSizeHoldsTheSessions(t *testing.T) {
	for _, ask := range []func(int, sizing.Mode) []sizing.Protocol{imap, everything} {
		for _, n := range sessions {
			for _, mode := range modes {
				protocols := ask(n, mode)
				t.Run(fmt.Sprintf("%d-%s-%d", n, mode, len(protocols)), func(t *testing.T) {
					sizes := sizing.Size(protocols, roomy)
					checkShape(t, sizes)
					checkRules(t, sizes, protocols)
				})
			}
		}
	}
}

func TestSizeByMode(t *testing.T) {
	secure := sizing.Service{Name: "imap-login", ProcessLimit: 112, ClientLimit: 1, Requests: 1, ProcessMinAvail: 2}
	for _, mode := range []sizing.Mode{sizing.Secure, sizing.Auto} {
		if got := sizing.Size(imap(100, mode), roomy).Service("imap-login"); got != secure {
			t.Errorf("%s, 100 sessions: %+v, want %+v", mode, got, secure)
		}
	}
	shared := sizing.Service{
		Name: "imap-login", ProcessLimit: 2, ClientLimit: 57, Requests: sizing.Unlimited,
		ProcessMinAvail: 2, VSZLimitMiB: 256,
	}
	if got := sizing.Size(imap(101, sizing.Auto), roomy).Service("imap-login"); got != shared {
		t.Errorf("auto, 101 sessions: %+v, want %+v", got, shared)
	}
	many := sizing.Size(imap(10000, sizing.Performance), roomy).Service("imap-login")
	if want := 32 + 5105/8 + 1; many.VSZLimitMiB != want {
		t.Errorf("10,000 sessions: vsz_limit %d MiB, want %d", many.VSZLimitMiB, want)
	}
}

// Turning clients away at the number asked for, or a little above, is what
// secure mode promises; a limit far above would not be one.
func TestSizeTurnsTheRestAway(t *testing.T) {
	for _, n := range sessions {
		for _, mode := range modes {
			sizes := sizing.Size(imap(n, mode), roomy)
			login := sizes.Service("imap-login")
			if spare := sizes.Service("imap").Capacity() - login.Capacity(); spare < 10 {
				t.Errorf("%d sessions, %s: %d that are about to end keep a client out", n, mode, spare+1)
			}
			if most := n + sizing.Headroom(n) + roomy.CPUs - 1; login.Capacity() > most {
				t.Errorf("%d sessions, %s: lets %d in, want at most %d", n, mode, login.Capacity(), most)
			}
		}
	}
}

func TestHeadroom(t *testing.T) {
	for n, want := range map[int]int{1: 10, 49: 10, 50: 11, 100: 12, 1000: 30, 10000: 210} {
		if got := sizing.Headroom(n); got != want {
			t.Errorf("Headroom(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestSizeGrowsWithTheSessions(t *testing.T) {
	for _, mode := range modes {
		before := 0
		for n := 1; n <= 3000; n++ {
			capacity := sizing.Size(imap(n, mode), roomy).Service("imap-login").Capacity()
			if capacity < before {
				t.Fatalf("%s: %d sessions get room for %d, one less got %d", mode, n, capacity, before)
			}
			before = capacity
		}
	}
}

// Dovecot warns at each start when a client_limit is above what a process may
// open, so no limit is.
func TestSizeIsBoundedByTheMachine(t *testing.T) {
	for _, files := range []int{0, 1, 64, 1024, 4096, 1 << 16} {
		for _, n := range sessions {
			for _, mode := range modes {
				machine := sizing.Machine{CPUs: 2, Files: files}
				sizes := sizing.Size(everything(n, mode), machine)
				checkShape(t, sizes)
				for _, s := range sizes.Services {
					if s.ClientLimit > max(1, files) {
						t.Errorf("%d files, %d sessions, %s: %s has client_limit %d", files, n, mode, s.Name, s.ClientLimit)
					}
				}
				if few := files < 1000; few != (sizes.DefaultClientLimit > 0) || sizes.DefaultClientLimit > max(1, files) {
					t.Errorf("%d files, and a default_client_limit of %d: Dovecot 2.3 asks for as many", files, sizes.DefaultClientLimit)
				}
			}
		}
	}
}

// Where a process may open few files, more processes share the sessions; none of
// them may need more than it can open.
func TestSizeSplitsLoginsByFiles(t *testing.T) {
	for _, files := range []int{1024, 4096, 1 << 16} {
		for _, n := range sessions {
			login := sizing.Size(imap(n, sizing.Performance), sizing.Machine{CPUs: 1, Files: files}).Service("imap-login")
			if need := 2*login.ClientLimit + 50; need > files {
				t.Errorf("%d files, %d sessions: a login process of %d clients opens %d", files, n, login.ClientLimit, need)
			}
			if login.Capacity() < n {
				t.Errorf("%d files, %d sessions: the login processes hold %d", files, n, login.Capacity())
			}
		}
	}
}

func TestSizeOnManyProcessors(t *testing.T) {
	for _, cpus := range []int{1, 2, 8, 64, 500} {
		for _, n := range sessions {
			for _, mode := range modes {
				sizes := sizing.Size(imap(n, mode), sizing.Machine{CPUs: cpus, Files: 1 << 20})
				checkShape(t, sizes)
				checkRules(t, sizes, imap(n, mode))
			}
		}
	}
}

func TestSizeOfTheLargestAsk(t *testing.T) {
	const most = 1_000_000
	for _, mode := range modes {
		checkShape(t, sizing.Size(everything(most, mode), roomy))
	}
}

func TestSizeOfNothing(t *testing.T) {
	sizes := sizing.Size([]sizing.Protocol{{Name: "lmtp", Sessions: 5}}, roomy)
	checkShape(t, sizes)
	var names []string
	for _, s := range sizes.Services {
		names = append(names, s.Name)
	}
	if want := []string{"anvil", "auth", "config", "stats"}; !slices.Equal(names, want) {
		t.Errorf("sized %q, want %q", names, want)
	}
	if got := sizes.Service("imap-login"); got != (sizing.Service{}) {
		t.Errorf("imap-login is %+v though imap is off", got)
	}
}

func TestEqual(t *testing.T) {
	a, b := sizing.Size(imap(100, sizing.Auto), roomy), sizing.Size(imap(100, sizing.Auto), roomy)
	if !a.Equal(b) {
		t.Error("the same ask gives sizes that are not equal")
	}
	if b.Services[0].ClientLimit++; a.Equal(b) {
		t.Error("another client_limit makes no difference")
	}
	if c := sizing.Size(imap(5000, sizing.Auto), roomy); a.Equal(c) {
		t.Error("5000 sessions are sized like 100")
	}
}

// TestIndexerMemory gives a process that indexes mail a quarter of the memory, within bounds.
func TestIndexerMemory(t *testing.T) {
	for memory, want := range map[int]int{0: 2048, 512: 256, 1024: 256, 4096: 1024, 64 << 10: 2048} {
		if got := sizing.Size(nil, sizing.Machine{MemoryKiB: memory << 10}).IndexerMiB; got != want {
			t.Errorf("of %d MiB: %d MiB, want %d", memory, got, want)
		}
	}
}
