package sizing_test

import (
	"testing"

	"pidgeon/sizing"
)

// Idle sessions are handed over in performance mode, where each of them can take
// an inotify instance along.
func TestHibernate(t *testing.T) {
	tests := []struct {
		name     string
		protocol string
		mode     sizing.Mode
		inotify  int
		want     bool
	}{
		{"no limit", "imap", sizing.Performance, 0, true},
		{"as many as sessions, headroom and others", "imap", sizing.Performance, 112 + 16, true},
		{"one less", "imap", sizing.Performance, 112 + 15, false},
		{"secure", "imap", sizing.Secure, 0, false},
		{"no IDLE in POP3", "pop3", sizing.Performance, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			machine := roomy
			machine.Inotify = tt.inotify
			sizes := sizing.Size([]sizing.Protocol{{Name: tt.protocol, Sessions: 100, Mode: tt.mode}}, machine)
			service := sizes.Service("imap-hibernate")
			if got := service.ClientLimit > 0; got != tt.want {
				t.Fatalf("hibernates: %t, want %t", got, tt.want)
			}
			if tt.want && service.Capacity() < sizes.Service(tt.protocol).Capacity() {
				t.Errorf("%+v keeps fewer sessions than there may be", service)
			}
		})
	}
}

// A process that keeps idle sessions opens two files for each.
func TestHibernateWithFewFiles(t *testing.T) {
	machine := sizing.Machine{CPUs: 2, Files: 1024}
	sizes := sizing.Size(imap(5000, sizing.Performance), machine)
	service := sizes.Service("imap-hibernate")
	if service.Capacity() < 5000 || 2*service.ClientLimit+50 > machine.Files {
		t.Errorf("got %+v", service)
	}
}

// Waking a session takes a process that keeps it 14 ms, and what wants to be kept
// meanwhile waits 10 s at most.
func TestHibernateInTime(t *testing.T) {
	for _, sessions := range []int{1, 100, 250, 251, 1000, 10000} {
		sizes := sizing.Size(imap(sessions, sizing.Performance), roomy)
		service := sizes.Service("imap-hibernate")
		if service.ClientLimit*14 > 5000 {
			t.Errorf("%d sessions: one process keeps %d", sessions, service.ClientLimit)
		}
		if limit := sizes.Service("stats").ClientLimit; limit < sessions+service.ProcessLimit {
			t.Errorf("%d sessions: stats takes %d", sessions, limit)
		}
	}
}

// Who raises the number of logins means that more of them may idle.
func TestFollowHibernate(t *testing.T) {
	ask := imap(1000, sizing.Performance)
	sizes := sizing.Size(ask, roomy)
	resized := sizes.Resize(inForce(sizes, "imap-login", func(s *sizing.Service) { s.ClientLimit = 10000 }), ask, roomy)
	if got := resized.Service("imap-hibernate").Capacity(); got < 20000 {
		t.Errorf("keeps %d sessions, and 20000 may log in", got)
	}
}

func TestDeaf(t *testing.T) {
	need := sizing.Budget{Machine: roomy, Cost: sizing.Costs("2.4")}.Need(imap(100, sizing.Secure))
	for inotify, want := range map[int]bool{0: false, 128: false, 127: true} {
		if got := need.ShortOfInotify(sizing.Allowed{Inotify: inotify}); got != want {
			t.Errorf("%d instances: %t, want %t", inotify, got, want)
		}
	}
}
