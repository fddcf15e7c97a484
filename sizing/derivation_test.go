package sizing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pidgeon/sizing"
)

// limitsOf are the limits of a service, by the names that Dovecot gives them.
func limitsOf(s sizing.Service) map[string]int {
	return map[string]int{
		"process_limit": s.ProcessLimit, "client_limit": s.ClientLimit, "process_min_avail": s.ProcessMinAvail,
		"service_count": s.Requests, "restart_request_count": s.Requests, "vsz_limit": s.VSZLimitMiB,
	}
}

// worked takes the steps of a sum one after the other, as a person would.
func worked(t *testing.T, terms []sizing.Term) int {
	t.Helper()
	total := 0
	for _, term := range terms {
		switch term.Step {
		case "+":
			total += term.N
		case "divided by":
			total = (total + term.N - 1) / term.N
		case "times":
			total *= term.N
		case "at least":
			total = max(total, term.N)
		case "at most":
			total = min(total, term.N)
		default:
			t.Errorf("nobody knows how to take the step %q", term.Step)
		}
	}
	return total
}

// checkSums holds the words against the limits: whoever follows the steps gets there.
func checkSums(t *testing.T, sizes sizing.Sizes) {
	t.Helper()
	for _, service := range sizes.Services {
		for setting, limit := range limitsOf(service) {
			sum, ok := sizes.Derivation(service.Name, setting)
			if ok != (limit != 0) || sum.Total != limit || worked(t, sum.Terms) != limit {
				t.Errorf("%s of %s is %d, and its sum %v (%+v)", setting, service.Name, limit, sum, sum.Terms)
			}
			for _, term := range sum.Terms {
				if term.What == "" {
					t.Errorf("%s of %s: nobody knows what %d counts: %v", setting, service.Name, term.N, sum)
				}
			}
		}
	}
}

func TestSumsAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		ask := everything(0, "")[:1+random.IntN(4)]
		for i := range ask {
			ask[i].Sessions, ask[i].Mode = 1+random.IntN(sessions[random.IntN(len(sessions))]), modes[random.IntN(len(modes))]
			ask[i].Reuse, ask[i].Share = random.IntN(2) == 0, random.IntN(4)
		}
		machine := sizing.Machine{CPUs: 1 + random.IntN(8), Files: []int{0, 64, 1024, 4096, 1 << 20}[random.IntN(5)], Inotify: random.IntN(2) * 128}
		sizes := sizing.Size(ask, machine)
		checkSums(t, sizes)
		changed := sizes.Services[random.IntN(len(sizes.Services))].Name
		checkSums(t, sizes.Resize(inForce(sizes, changed, func(s *sizing.Service) {
			s.ProcessLimit, s.ClientLimit, s.Requests = 1+random.IntN(5000), 1+random.IntN(5000), random.IntN(3)-1
		}), ask, machine))
		if t.Failed() {
			t.Fatalf("asked for %+v of %+v, then changed %s", ask, machine, changed)
		}
	}
}

func TestSumInWords(t *testing.T) {
	const stock = "100 processes of imap-urlauth-login"
	const others = "200 others (doveadm, indexers, dict, auth workers, probes)"
	reused := imap(1000, sizing.Performance)
	reused[0].Reuse, reused[0].Share = true, 3
	few := sizing.Machine{CPUs: 2, Files: 1024}
	for _, tt := range []struct {
		sizes            sizing.Sizes
		service, setting string
		want             string
	}{
		{sizing.Size(imap(100, sizing.Secure), roomy), "imap-login", "process_limit", "112 = 100 sessions + 12 for clients that come and go"},
		{sizing.Size(imap(100, sizing.Secure), roomy), "auth", "client_limit", "512 = 112 processes of imap-login + " + stock + " + 100 processes of lmtp + " + others},
		{sizing.Size(imap(1000, sizing.Auto), roomy), "imap-login", "process_limit", "2 = 2 processors"},
		{sizing.Size(imap(1000, sizing.Auto), roomy), "imap-login", "client_limit", "515 = 1000 sessions + 30 for clients that come and go, divided by 2 processes"},
		{sizing.Size(imap(1001, sizing.Auto), roomy), "imap-login", "client_limit", "516 = 1001 sessions + 30 for clients that come and go, divided by 2 processes, rounded up"},
		{sizing.Size(imap(1000, sizing.Auto), roomy), "imap-login", "service_count", "unlimited: a process serves one client after another"},
		{sizing.Size(imap(1000, sizing.Auto), few), "imap-login", "process_limit", "3 = 2 processors, at least 3 processes, or one would open too many files (ulimit -n)"},
		{sizing.Size(imap(10000, sizing.Auto), roomy), "imap-login", "vsz_limit", "671 = 5105 clients, divided by 8 to a MiB, rounded up, + 32 MiB of its own"},
		{sizing.Size(imap(1000, sizing.Auto), roomy), "imap-hibernate", "process_limit", "6 = 1030 sessions of imap, divided by 250 to a process, rounded up, + 1 in reserve"},
		{sizing.Size(imap(1000, sizing.Auto), roomy), "anvil", "client_limit", "4000 = 2 processes of imap-login + 6 processes of imap-hibernate + " + stock + " + " + others + ", at least 1000 (default_client_limit), times 4 because it keeps this limit until the next start"},
		{sizing.Size(imap(1000, sizing.Secure), few), "stats", "client_limit", "1000 = 1030 processes of imap-login + 1060 processes of imap + 100 processes of lmtp + 10 processes of imap-urlauth-login + 64 others (doveadm, indexers, dict, auth workers, probes), at most 1000 open files (ulimit -n)"},
		{sizing.Size(reused, roomy), "imap", "process_limit", "374 = 1030 connections that imap-login lets in, divided by 3 to a process, rounded up, + 30 for those that are about to end"},
		{sizing.Size(reused, roomy), "imap", "client_limit", "3 = 1 session to a process + 2 more where memory is short"},
	} {
		sum, ok := tt.sizes.Derivation(tt.service, tt.setting)
		if got := fmt.Sprint(sum); !ok || got != tt.want {
			t.Errorf("%s of %s:\n got %s\nwant %s", tt.setting, tt.service, got, tt.want)
		}
	}
}

func TestNoSum(t *testing.T) {
	sizes := sizing.Size(imap(100, sizing.Secure), roomy)
	for _, name := range []string{"imap-login/vsz_limit", "imap-login/chroot", "pop3-login/process_limit", "auth/process_limit"} {
		service, setting, _ := strings.Cut(name, "/")
		if sum, ok := sizes.Derivation(service, setting); ok {
			t.Errorf("%s is derived: %v", name, sum)
		}
	}
}

func TestProtocolsBehindLimits(t *testing.T) {
	ask := everything(1000, sizing.Performance)[:2]
	ask[0].Reuse = true
	for share, own := range map[int][]string{1: {"imap"}, 3: {"imap", "pop3"}} {
		ask[0].Share = share
		sizes := sizing.Size(ask, roomy)
		for service, want := range map[string][]string{
			"imap-login": {"imap"}, "imap-hibernate": {"imap"}, "pop3": {"pop3"}, "pop3-login": {"pop3"},
			"auth": {"imap", "pop3"}, "anvil": {"imap", "pop3"}, "stats": {"imap", "pop3"}, "config": {"imap", "pop3"},
			"imap": own,
		} {
			if got := sizes.Protocols(service); !slices.Equal(got, want) {
				t.Errorf("%d clients share a process: the limits of %s follow from %q, want %q", share, service, got, want)
			}
		}
	}
}
