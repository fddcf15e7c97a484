package supervise

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const ignoringTERM = `trap '' TERM; echo ready; exec sleep 1000`

func TestEndAllWithNothingLeft(t *testing.T) {
	s := supervisor(t)
	if ended, killed := s.EndAll(t.Context()); ended != 0 || killed != 0 {
		t.Errorf("got %d and %d", ended, killed)
	}
}

func TestEndAllAsks(t *testing.T) {
	s := supervisor(t)
	polite := started(t, s, exec.Command("sleep", "1000"))
	stopped := started(t, s, exec.Command("sleep", "1000"))
	if err := stopped.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process is stopped", func() bool { return state(stopped.PID()) == 'T' })

	if ended, killed := s.EndAll(within(t, patient)); ended != 2 || killed != 0 {
		t.Errorf("got %d ended, %d killed, want 2 and 0", ended, killed)
	}
	for _, p := range []*Process{polite, stopped} {
		if got := exitCode(t, p); got != 128+15 {
			t.Errorf("got exit code %d", got)
		}
	}
}

func TestEndAllKills(t *testing.T) {
	s := supervisor(t)
	orphan := sh(ignoringTERM + " &") // its parent ends at once
	lines := output(t, orphan)
	exitCode(t, started(t, s, orphan))
	lineIs(t, lines, "ready")
	polite := started(t, s, exec.Command("sleep", "1000"))

	if ended, killed := s.EndAll(within(t, 300*time.Millisecond)); ended != 2 || killed != 1 {
		t.Errorf("got %d ended, %d killed, want 2 and 1", ended, killed)
	}
	if got := exitCode(t, polite); got != 128+15 {
		t.Errorf("got exit code %d", got)
	}
	if !childless() {
		t.Error("a child is left")
	}
}

func TestEndAllLeavesTimeToCleanUp(t *testing.T) {
	s := supervisor(t)
	cmd := sh(`trap 'sleep 0.2; exit 6' TERM; echo ready; while :; do sleep 0.05; done`)
	lines := output(t, cmd)
	p := started(t, s, cmd)
	lineIs(t, lines, "ready")
	if _, killed := s.EndAll(within(t, patient)); killed != 0 || exitCode(t, p) != 6 {
		t.Errorf("%d killed, exit code %d", killed, p.ExitCode())
	}
}

func TestDescendants(t *testing.T) {
	s := supervisor(t)
	cmd := sh(`setsid sleep 1000 & sleep 1000 & echo $!; wait`)
	lines := output(t, cmd)
	p := started(t, s, cmd)
	sleep := number(t, lines)
	var got []int
	for _, d := range descendants() {
		got = append(got, d.pid)
	}
	if !slices.Contains(got, p.PID()) || !slices.Contains(got, sleep) || slices.Contains(got, os.Getpid()) {
		t.Errorf("got %v, want %d and %d, without %d", got, p.PID(), sleep, os.Getpid())
	}
}

func TestParseStat(t *testing.T) {
	for _, tt := range []struct {
		text string
		want process
	}{
		{"12 (sleep) S 3 12 11 0 -1", process{12, 3, 11, "sleep", 'S'}},
		{"12 (a) Z 9 (b) Z 1 12 12", process{12, 1, 12, "a) Z 9 (b", 'Z'}},
		{"12 () R 1 0\n) T 7 1 2", process{12, 7, 2, ") R 1 0\n", 'T'}},
		{"12 (sleep) S x", process{}},
		{"12 (sleep)", process{}},
		{"12 (sleep", process{}},
		{"", process{}},
	} {
		got, ok := parseStat([]byte(tt.text))
		if wanted := tt.want != (process{}); ok != wanted || ok && got != tt.want {
			t.Errorf("%q: got %+v %v", tt.text, got, ok)
		}
	}
}
