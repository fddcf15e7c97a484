package master

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestStartOf(t *testing.T) {
	before := now()
	time.Sleep(20 * time.Millisecond)
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	time.Sleep(20 * time.Millisecond)
	if got, after := startOf(cmd.Process.Pid), now(); got <= before || got >= after {
		t.Errorf("started at %d, want between %d and %d", got, before, after)
	}
	if got, own := startOf(cmd.Process.Pid), startOf(os.Getpid()); own == 0 || own > got {
		t.Errorf("a child is started at %d, before its parent at %d", got, own)
	}
	if got := startOf(-1); got != 0 {
		t.Errorf("nobody is started at %d", got)
	}
}

// What counts is the last reload that a log process followed.
func TestLastReload(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reloads []ticks
		log     ticks // the newest log process
		want    ticks
	}{
		{"none", nil, 5, 0},
		{"one", []ticks{10}, 12, 10},
		{"at once", []ticks{10}, 10, 10},
		{"refused", []ticks{10}, 5, 0},
		{"the second refused", []ticks{10, 20}, 12, 10},
		{"the first refused", []ticks{10, 20}, 22, 20},
		{"under way", []ticks{10, 20, 30}, 22, 20},
	} {
		m := &Process{reloads: tt.reloads}
		if got := m.lastReload(tt.log); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
		if got := m.lastReload(tt.log); got != tt.want {
			t.Errorf("%s: asked again: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// Ours begins with the signal, however late the notification.
func TestReloading(t *testing.T) {
	m := &Process{}
	m.noteHangUp()
	sent := m.hungUp
	time.Sleep(30 * time.Millisecond)
	m.noteReload()
	m.noteReload() // somebody else's
	if len(m.reloads) != 2 || m.reloads[0] != sent || m.reloads[1] <= sent || m.hungUp != 0 {
		t.Errorf("sent at %d: got %d, pending %d", sent, m.reloads, m.hungUp)
	}
}
