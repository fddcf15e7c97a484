package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// foreground runs cmd as main child; the code comes when it has ended.
func foreground(t *testing.T, cmd *exec.Cmd, grace time.Duration) (chan<- os.Signal, <-chan int) {
	t.Helper()
	s := supervisor(t)
	signals, code := make(chan os.Signal), make(chan int, 1)
	go func() { code <- s.Foreground(cmd, signals, grace) }()
	return signals, code
}

func codeIs(t *testing.T, code <-chan int, want int) {
	t.Helper()
	select {
	case got := <-code:
		if got != want {
			t.Errorf("got exit code %d, want %d", got, want)
		}
	case <-time.After(patient):
		t.Fatal("Foreground does not return")
	}
}

func TestForegroundExitCode(t *testing.T) {
	for want, cmd := range map[int]*exec.Cmd{
		0:       exec.Command("true"),
		42:      sh("exit 42"),
		126:     exec.Command("/etc/passwd"),
		127:     exec.Command("no-such-command-anywhere"),
		128 + 9: sh("kill -9 $$"),
	} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			_, code := foreground(t, cmd, time.Minute)
			codeIs(t, code, want)
		})
	}
}

func TestForegroundPassesEverySignalOn(t *testing.T) {
	cmd := self(t, "print")
	lines := output(t, cmd)
	signals, code := foreground(t, cmd, time.Minute)
	lineIs(t, lines, "ready")
	for _, sig := range append(passed(), realTime()...) {
		if sig == unix.SIGTERM {
			continue // ends it: last
		}
		signals <- sig
		if got := number(t, lines); got != int(sig.(unix.Signal)) {
			t.Errorf("sent %v, got signal %d", sig, got)
		}
	}
	signals <- unix.SIGTERM
	codeIs(t, code, 7)
}

func TestForegroundStopsAndGoesOn(t *testing.T) {
	cmd := sh("echo $$; exec sleep 1000")
	lines := output(t, cmd)
	signals, code := foreground(t, cmd, time.Minute)
	pid := number(t, lines)
	signals <- unix.SIGTSTP
	eventually(t, "the command is stopped", func() bool { return state(pid) == 'T' })
	signals <- unix.SIGCONT
	eventually(t, "the command goes on", func() bool { return state(pid) == 'S' })
	signals <- unix.SIGTERM
	codeIs(t, code, 128+15)
}

func TestForegroundKillsAfterTheGracePeriod(t *testing.T) {
	cmd := sh(ignoringTERM)
	lines := output(t, cmd)
	signals, code := foreground(t, cmd, 300*time.Millisecond)
	lineIs(t, lines, "ready")
	signals <- unix.SIGTERM
	codeIs(t, code, 128+9)
}

func TestForegroundSecondStopShortens(t *testing.T) {
	cmd := sh(ignoringTERM)
	lines := output(t, cmd)
	signals, code := foreground(t, cmd, time.Hour)
	lineIs(t, lines, "ready")
	signals <- unix.SIGTERM
	signals <- unix.SIGTERM
	codeIs(t, code, 128+9)
}

func TestForegroundEndsWhatIsLeft(t *testing.T) {
	cmd := sh("sleep 1000 & exit 3")
	output(t, cmd) // held open by the sleep
	_, code := foreground(t, cmd, time.Hour)
	codeIs(t, code, 3)
}

func TestForegroundKillsWhatIsLeft(t *testing.T) {
	cmd := sh("sh -c \"" + ignoringTERM + "\" & read x <&3; exit 3")
	lines := output(t, cmd)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{r}
	signals, code := foreground(t, cmd, time.Hour)
	lineIs(t, lines, "ready")
	w.Close()
	// The main child may still be there for the first of these.
	for _, sig := range []os.Signal{unix.SIGWINCH, unix.SIGTERM, unix.SIGTERM} {
		signals <- sig
	}
	select {
	case <-code:
	case <-time.After(patient):
		t.Fatal("Foreground does not return")
	}
}
