package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func executable(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOrphanComesToUsAndIsReaped(t *testing.T) {
	s := supervisor(t)
	cmd := sh(`sh -c 'sleep 1000 & echo $!'`)
	lines := output(t, cmd)
	p := started(t, s, cmd)
	orphan := number(t, lines)
	exitCode(t, p)

	eventually(t, "the orphan is our child", func() bool {
		return slices.ContainsFunc(processes(), func(p process) bool { return p.pid == orphan && p.parent == os.Getpid() })
	})
	if err := unix.Kill(orphan, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no child is left", childless)
}

// An ended child hides the orphans behind it from waitid until its owner has
// waited. Nothing else may come to remind the reaping of them.
func TestOwnerNudgesAfterItsWait(t *testing.T) {
	s := &Supervisor{wake: make(chan os.Signal, 1)}
	p := &Process{cmd: exec.Command("true"), done: make(chan struct{})}
	if err := s.startOwned(p); err != nil {
		t.Fatal(err)
	}
	s.await(p)
	if len(s.wake) != 1 {
		t.Error("no nudge came")
	}
}

func TestNoExitStatusIsLost(t *testing.T) {
	s := supervisor(t)
	var owners sync.WaitGroup
	for owner := range 8 {
		owners.Go(func() {
			for i := range 50 {
				code := (owner*50 + i) % 256
				if got := codeOfOne(t, s, i%2 == 0, code); got != code {
					t.Errorf("exit %d gave %d", code, got)
				}
			}
		})
	}
	owners.Wait()
	eventually(t, "no zombie is left", childless)
}

// codeOfOne leaves an orphan behind each time.
func codeOfOne(t *testing.T, s *Supervisor, run bool, code int) int {
	cmd := sh(fmt.Sprintf("(true &) ; exit %d", code))
	if !run {
		p, err := s.Start(cmd)
		if err != nil {
			t.Error(err)
			return -1
		}
		<-p.Done()
		return p.ExitCode()
	}
	_ = s.Run(t.Context(), cmd)
	return cmd.ProcessState.ExitCode()
}

// A refused exec is a child as well: os/exec forks, and waits for it itself.
func TestRefusedExecBesideOrphans(t *testing.T) {
	s := supervisor(t)
	bad := executable(t, "no text")
	for range 50 {
		exitCode(t, started(t, s, sh("(true &)")))
		if _, err := s.Start(exec.Command(bad)); !strings.Contains(fmt.Sprint(err), "exec format error") {
			t.Fatalf("got error %v", err)
		}
	}
	eventually(t, "no zombie is left", childless)
}

func TestCloseStopsTheReapingOnly(t *testing.T) {
	s, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cmd := sh("read x <&3; exit 4")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{r}
	p := started(t, s, cmd)
	s.Close()
	w.Close()
	if got := exitCode(t, p); got != 4 {
		t.Errorf("got exit code %d, want 4", got)
	}
}
