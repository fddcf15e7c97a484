package supervise

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleVar makes the test binary play a part of its own instead of testing.
const roleVar = "SUPERVISE_TEST_ROLE"

const patient = 20 * time.Second // for what should take milliseconds

func TestMain(m *testing.M) {
	if name := os.Getenv(roleVar); name != "" {
		os.Exit(play(name))
	}
	if os.Getenv(initVar) != "" && !isInit() {
		fmt.Fprintln(os.Stderr, "not PID 1")
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// supervisor is closed at the end of the test, when nothing may be left.
func supervisor(t *testing.T) *Supervisor {
	t.Helper()
	s, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.EndAll(expired())
		if !childless() {
			t.Error("a child is left")
		}
		s.Close()
	})
	return s
}

func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func sh(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

func self(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	// The race detector would let each role sleep for a second at its end.
	cmd.Env = append(os.Environ(), roleVar+"="+role, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// selfUnder starts the role from a shell that has first run setup.
func selfUnder(t *testing.T, setup, role string) *exec.Cmd {
	t.Helper()
	cmd := self(t, role)
	shell := exec.Command("/bin/sh", "-c", setup+`; exec "$0"`, cmd.Path)
	shell.Env = cmd.Env
	return shell
}

// output gives cmd a file to write to, and reads it line by line.
func output(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	cmd.Stdout = w
	return bufio.NewScanner(r)
}

func line(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	if !lines.Scan() {
		t.Fatalf("no further line: %v", lines.Err())
	}
	return lines.Text()
}

func lineIs(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	if got := line(t, lines); got != want {
		t.Fatalf("got line %q, want %q", got, want)
	}
}

func number(t *testing.T, lines *bufio.Scanner) (n int) {
	t.Helper()
	text := line(t, lines)
	if _, err := fmt.Sscan(strings.TrimSpace(text), &n); err != nil {
		t.Fatalf("line %q: %v", text, err)
	}
	return n
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !poll(within(t, patient), done) {
		t.Fatalf("in vain: %s", what)
	}
}

func started(t *testing.T, s *Supervisor, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := s.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func exitCode(t *testing.T, p *Process) int {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patient):
		t.Fatal("process does not end")
	}
	return p.ExitCode()
}

// state is the letter /proc shows for a process, 0 when there is none.
func state(pid int) byte {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	said, _ := parseStat(data)
	return said.state
}
