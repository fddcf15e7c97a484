package supervise

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEveryExitCode(t *testing.T) {
	s := supervisor(t)
	for code := range 256 {
		if got := exitCode(t, started(t, s, sh(fmt.Sprint("exit ", code)))); got != code {
			t.Errorf("exit %d gave %d", code, got)
		}
	}
}

func TestKilledBySignal(t *testing.T) {
	s := supervisor(t)
	for _, sig := range []syscall.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGKILL,
		unix.SIGUSR1, unix.SIGSEGV, unix.SIGPIPE, unix.SIGTERM, unix.SIGSYS,
	} {
		script := fmt.Sprintf("ulimit -c 0; kill -%d $$", int(sig))
		if got := exitCode(t, started(t, s, sh(script))); got != 128+int(sig) {
			t.Errorf("%v gave %d, want %d", sig, got, 128+int(sig))
		}
	}
}

func TestSignalReachesTheProcessAlone(t *testing.T) {
	s := supervisor(t)
	cmd := sh(`trap 'exit 5' TERM; sleep 1000 & echo $!; wait`)
	lines := output(t, cmd)
	p := started(t, s, cmd)
	sleep := number(t, lines)

	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := exitCode(t, p); got != 5 {
		t.Errorf("got exit code %d, want 5", got)
	}
	if got := state(sleep); got == 0 || got == 'Z' {
		t.Error("the child of the process was hit too")
	}
}

func TestSignalAfterTheEnd(t *testing.T) {
	s := supervisor(t)
	p := started(t, s, exec.Command("true"))
	exitCode(t, p)
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Errorf("got %v, want none", err)
	}
}

func TestProcessLeadsItsGroup(t *testing.T) {
	s := supervisor(t)
	for _, attr := range []*syscall.SysProcAttr{nil, {Setsid: true}} {
		cmd := exec.Command("sleep", "1000")
		cmd.SysProcAttr = attr
		p := started(t, s, cmd)
		if got, err := unix.Getpgid(p.PID()); got != p.PID() {
			t.Errorf("PID %d is in group %d (%v)", p.PID(), got, err)
		}
	}
}

func TestStartExitCode(t *testing.T) {
	s := supervisor(t)
	for name, want := range map[string]int{
		"no-such-command-anywhere": 127,
		"/no/such/command":         127,
		"/etc/passwd":              126,
		"/":                        126,
		executable(t, "no text"):   126,
	} {
		_, err := s.Start(exec.Command(name))
		if err == nil {
			t.Fatalf("%s was started", name)
		}
		if got := startExitCode(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}
