package sizing_test

import (
	"fmt"
	"slices"
	"testing"

	"pidgeon/sizing"
)

// inForce is what is read back from Dovecot when an override changes one service.
func inForce(sizes sizing.Sizes, name string, change func(*sizing.Service)) []sizing.Service {
	services := slices.Clone(sizes.Services)
	for i := range services {
		if services[i].Name == name {
			change(&services[i])
		}
	}
	return services
}

// together is what Dovecot runs with: the sizes, and the override over them.
func together(sizes sizing.Sizes, name string, change func(*sizing.Service)) sizing.Sizes {
	sizes.Services = inForce(sizes, name, change)
	return sizes
}

func TestResizeNothing(t *testing.T) {
	for _, n := range sessions {
		for _, mode := range modes {
			sizes := sizing.Size(everything(n, mode), roomy)
			if got := sizes.Resize(sizes.Services, everything(n, mode), roomy); !got.Equal(sizes) {
				t.Errorf("%d, %s: got\n%+v\nwant\n%+v", n, mode, got, sizes)
			}
		}
	}
}

// The cures that were published against "process_limit (100) reached".
func TestResizePublishedOverrides(t *testing.T) {
	tests := []struct {
		name   string
		ask    int
		mode   sizing.Mode
		change func(*sizing.Service)
		holds  int
	}{
		{"process_limit", 100, sizing.Secure, func(s *sizing.Service) { s.ProcessLimit = 200 }, 200},
		{"process_limit below the ask", 100, sizing.Secure, func(s *sizing.Service) { s.ProcessLimit = 50 }, 50},
		{"process_limit one", 100, sizing.Secure, func(s *sizing.Service) { s.ProcessLimit = 1 }, 1},
		{"process_limit in performance mode", 1000, sizing.Performance, func(s *sizing.Service) { s.ProcessLimit = 4 }, 2000},
		{"high performance", 100, sizing.Secure, func(s *sizing.Service) {
			s.ProcessLimit, s.ClientLimit, s.Requests = 2, 2500, sizing.Unlimited
		}, 5000},
		{"client_limit", 1000, sizing.Performance, func(s *sizing.Service) { s.ClientLimit = 10000 }, 20000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ask := imap(tt.ask, tt.mode)
			sizes := sizing.Size(ask, roomy)
			resized := sizes.Resize(inForce(sizes, "imap-login", tt.change), ask, roomy)
			running := together(resized, "imap-login", tt.change)
			checkShape(t, running)
			checkRules(t, running, imap(tt.holds, tt.mode))
			was, got := sizes.Service("imap-login"), resized.Service("imap-login")
			if got.ProcessLimit != was.ProcessLimit || got.ClientLimit != was.ClientLimit || got.Requests != was.Requests {
				t.Errorf("what was asked for is lost: %+v, was %+v", got, was)
			}
		})
	}
}

// The override of one protocol leaves the others' sessions as they are.
func TestResizeOneOfSeveral(t *testing.T) {
	ask := everything(100, sizing.Secure)
	sizes := sizing.Size(ask, roomy)
	resized := sizes.Resize(inForce(sizes, "pop3-login", func(s *sizing.Service) { s.ProcessLimit = 300 }), ask, roomy)
	checkShape(t, resized)
	checkRules(t, resized, ask)
	for _, name := range []string{"imap-login", "imap", "managesieve", "submission"} {
		if got, want := resized.Service(name), sizes.Service(name); got != want {
			t.Errorf("%s became %+v, was %+v", name, got, want)
		}
	}
	if got := resized.Service("pop3").ProcessLimit; got != 312 {
		t.Errorf("pop3 has process_limit %d, want 300 and 12 to spare", got)
	}
}

// Who sets a limit of a service that only serves the others means just that.
func TestResizeLoginsAlone(t *testing.T) {
	ask := imap(100, sizing.Secure)
	sizes := sizing.Size(ask, roomy)
	for _, name := range []string{"auth", "stats", "anvil"} {
		services := inForce(sizes, name, func(s *sizing.Service) { s.ProcessLimit, s.ClientLimit = 7, 7 })
		if got := sizes.Resize(services, ask, roomy); !got.Equal(sizes) {
			t.Errorf("a changed %s changes the sizes to %+v", name, got)
		}
	}
}

// Session processes that serve more than one client keep their connection to
// auth, and Dovecot counts them.
func TestResizeReusedSessions(t *testing.T) {
	ask := imap(100, sizing.Secure)
	sizes := sizing.Size(ask, roomy)
	resized := sizes.Resize(inForce(sizes, "imap", func(s *sizing.Service) { s.Requests = 10 }), ask, roomy)
	more := resized.Service("auth").ClientLimit - sizes.Service("auth").ClientLimit
	if want := sizes.Service("imap").ProcessLimit; more != want {
		t.Errorf("auth takes %d more clients, want %d", more, want)
	}
}

// Resizing what was resized changes nothing, or a reload would follow a reload.
func TestResizeSettles(t *testing.T) {
	for _, limit := range []int{1, 50, 113, 200, 5000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			ask := imap(100, sizing.Secure)
			sizes := sizing.Size(ask, roomy)
			change := func(s *sizing.Service) { s.ProcessLimit = limit }
			once := sizes.Resize(inForce(sizes, "imap-login", change), ask, roomy)
			if twice := once.Resize(inForce(once, "imap-login", change), ask, roomy); !twice.Equal(once) {
				t.Errorf("first\n%+v\nthen\n%+v", once, twice)
			}
		})
	}
}

// Each of the two numbers is one that Dovecot takes; their product has to be one
// as well, or it refuses a file that the operator did not write.
func TestResizeLargeLimits(t *testing.T) {
	ask := imap(100, sizing.Secure)
	sizes := sizing.Size(ask, roomy)
	checkShape(t, sizes.Resize(inForce(sizes, "imap-login", func(s *sizing.Service) {
		s.ProcessLimit, s.ClientLimit, s.Requests = 1<<20, 100_000, sizing.Unlimited
	}), ask, roomy))
}

// No more session processes are kept ready than an override allows: Dovecot would
// refuse that, and blame a file that the operator did not write.
func TestResizeFewSessions(t *testing.T) {
	ask := imap(1000, sizing.Performance)
	ask[0].Reuse = true
	sizes := sizing.Size(ask, roomy)
	if sizes.Service("imap").ProcessMinAvail < 2 {
		t.Fatal("no session process is kept ready: this tests nothing")
	}
	resized := sizes.Resize(inForce(sizes, "imap", func(s *sizing.Service) { s.ProcessLimit = 1 }), ask, roomy)
	if got := resized.Service("imap").ProcessMinAvail; got != 1 {
		t.Errorf("%d session processes are kept ready, and one is allowed", got)
	}
}
