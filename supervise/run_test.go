package supervise

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunOutput(t *testing.T) {
	s := supervisor(t)
	var out, errs bytes.Buffer
	cmd := sh("cat; echo oops >&2")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("text"), &out, &errs
	if err := s.Run(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	if out.String() != "text" || errs.String() != "oops\n" {
		t.Errorf("got %q and %q", out.String(), errs.String())
	}
}

func TestRunExitError(t *testing.T) {
	s := supervisor(t)
	err := s.Run(t.Context(), sh("exit 89"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 89 {
		t.Errorf("got error %v", err)
	}
	if got, want := err.Error(), "running /bin/sh: exit status 89"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunEndedByContext(t *testing.T) {
	s := supervisor(t)
	cmd := sh(`trap '' TERM; (trap '' TERM; sleep 1000 & sleep 1000) & echo $$; wait`)
	lines := output(t, cmd)
	stop := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		lines.Scan()
		cancel(stop)
	}()
	if err := s.Run(ctx, cmd); !errors.Is(err, stop) {
		t.Errorf("got error %v, want %v", err, stop)
	}
	if !childless() {
		t.Error("part of the group is left")
	}
}

func TestRunAfterContext(t *testing.T) {
	s := supervisor(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, exec.Command("true")); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}

func TestRunEndsTheGroupWithItsLeader(t *testing.T) {
	s := supervisor(t)
	if err := s.Run(t.Context(), sh("sleep 1000 &")); err != nil {
		t.Fatal(err)
	}
	if !childless() {
		t.Error("part of the group is left")
	}
}

// pipe is for a script to wait for a child of its own, 3 to write and 4 to read.
func pipe(t *testing.T) []*os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return []*os.File{w, r}
}

func TestRunIsNotHeldUpByOutput(t *testing.T) {
	for name, script := range map[string]string{
		"in the group": "echo text; sleep 1000 &",
		"outside":      "echo text; setsid sh -c 'echo >&3; exec sleep 1000' & read x <&4",
	} {
		t.Run(name, func(t *testing.T) {
			s := supervisor(t)
			var out bytes.Buffer
			cmd := sh(script)
			cmd.Stdout = &out
			cmd.ExtraFiles = pipe(t)
			start := time.Now()
			if err := s.Run(t.Context(), cmd); err != nil {
				t.Error(err)
			}
			if out.String() != "text\n" || time.Since(start) > patient {
				t.Errorf("got %q after %v", out.String(), time.Since(start))
			}
		})
	}
}

// session is a command that leads one, in which another group outlives SIGTERM too.
func session(script string) *exec.Cmd {
	cmd := exec.Command("/bin/bash", "-c", "set -m; (trap '' TERM; echo ready; exec sleep 1000) & "+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

func TestRunEndsTheSession(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		least  time.Duration
		file   string // what the leader still writes
	}{
		"leader that cleans up": {`trap 'sleep 0.2; echo done >clean; exit' TERM; echo set; while :; do sleep 0.05; done`, 200 * time.Millisecond, "done\n"},
		"leader that is slow":   {`trap 'sleep 60; echo done >clean; exit' TERM; echo set; while :; do sleep 0.05; done`, cleanUpTime, ""},
		"leader that ignores":   {`trap '' TERM; echo set; while :; do sleep 0.05; done`, cleanUpTime, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := supervisor(t)
			cmd := session(tt.script)
			cmd.Dir = t.TempDir()
			lines := output(t, cmd)
			ctx, cancel := context.WithCancel(t.Context())
			var ended time.Time
			go func() {
				lines.Scan()
				lines.Scan() // both have set their traps
				ended = time.Now()
				cancel()
			}()
			if err := s.Run(ctx, cmd); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v", err)
			}
			if took := time.Since(ended); took < tt.least || took > tt.least+20*time.Second {
				t.Errorf("took %v", took)
			}
			file, _ := os.ReadFile(filepath.Join(cmd.Dir, "clean"))
			if string(file) != tt.file || !childless() {
				t.Errorf("the leader wrote %q; nothing is left: %v", file, childless())
			}
		})
	}
}

func TestRunEndsTheSessionWithItsLeader(t *testing.T) {
	s := supervisor(t)
	if err := s.Run(t.Context(), session("read x <<<x")); err != nil {
		t.Fatal(err)
	}
	if !childless() {
		t.Error("part of the session is left")
	}
}
