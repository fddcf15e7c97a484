package supervise

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
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
