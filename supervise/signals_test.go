package supervise

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestIgnoredSignalsStayIgnored(t *testing.T) {
	s := supervisor(t)
	cmd := selfUnder(t, `trap '' HUP INT TSTP`, "inherit")
	lines := output(t, cmd)
	p := started(t, s, cmd)

	if blocked := mask(t, line(t, lines), "SigBlk:"); blocked != 0 {
		t.Errorf("the child starts with blocked signals %x", blocked)
	}
	want := bit(unix.SIGHUP) | bit(unix.SIGINT) | bit(unix.SIGTSTP)
	// glibc's posix_spawn leaves its own two, 32 and 33, ignored in children.
	const ofLibc = 3 << 31
	if ignored := mask(t, line(t, lines), "SigIgn:") &^ ofLibc; ignored != want {
		t.Errorf("the child ignores %x, want %x", ignored, want)
	}
	if got := number(t, lines); got != int(unix.SIGUSR1) {
		t.Errorf("got signal %d first, want USR1", got)
	}
	exitCode(t, p)
}

func mask(t *testing.T, line, name string) uint64 {
	t.Helper()
	text, ok := strings.CutPrefix(line, name)
	bits, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
	if !ok || err != nil {
		t.Fatalf("got line %q (%v)", line, err)
	}
	return bits
}

func TestWritingToNobodyIsSurvived(t *testing.T) {
	s := supervisor(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := self(t, "unread")
	cmd.Stdout = w
	if got := exitCode(t, started(t, s, cmd)); got != 9 {
		t.Errorf("got exit code %d, want 9", got)
	}
}

func TestNotify(t *testing.T) {
	c := make(chan os.Signal, 1)
	Notify(c)
	defer signal.Stop(c)
	if err := unix.Kill(os.Getpid(), unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	if got := <-c; got != unix.SIGUSR2 {
		t.Errorf("got %v", got)
	}
}

// Real-time signals come to a command of the user's own; run outlives them unheard.
func TestRealTimeSignals(t *testing.T) {
	const halt = unix.Signal(34 + 3) // SIGRTMIN+3 of systemd
	for name, tt := range map[string]struct {
		notify func(chan<- os.Signal)
		want   os.Signal
	}{
		"run":         {Notify, unix.SIGUSR2},
		"of the user": {NotifyAll, halt},
	} {
		t.Run(name, func(t *testing.T) {
			c := make(chan os.Signal, 2)
			tt.notify(c)
			defer signal.Stop(c)
			sent := []unix.Signal{halt}
			if tt.want != halt { // of signals that are pending together any comes first
				sent = append(sent, unix.SIGUSR2)
			}
			for _, sig := range sent {
				if err := unix.Kill(os.Getpid(), sig); err != nil {
					t.Fatal(err)
				}
			}
			if got := <-c; got != tt.want || IsStop(got) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestIsStop(t *testing.T) {
	for _, sig := range passed() {
		want := sig == unix.SIGTERM || sig == unix.SIGINT || sig == unix.SIGQUIT
		if IsStop(sig) != want {
			t.Errorf("%v: got %v", sig, !want)
		}
	}
}
