package supervise

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a fresh pseudo terminal.
func terminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		cannot(t, "no terminal to be had here: "+err.Error())
	}
	t.Cleanup(func() { keyboard.Close() })
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		cannot(t, "no terminal to be had here: "+err.Error())
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

func onTTY(cmd *exec.Cmd, tty *os.File) *exec.Cmd {
	cmd.Stdin, cmd.Stdout = tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return cmd
}

// ^C is for the interactive program alone: no grace period, no second INT.
func TestInterruptKeyReachesTheMainChildAlone(t *testing.T) {
	s := supervisor(t)
	keyboard, tty := terminal(t)
	script := `trap 'exit 42' INT; echo ready; while :; do sleep 0.05; done`
	p := started(t, s, onTTY(self(t, "terminal "+script), tty))
	lines := bufio.NewScanner(keyboard)
	if got := strings.TrimSpace(line(t, lines)); got != "ready" {
		t.Fatalf("got line %q", got)
	}
	if _, err := keyboard.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if got := exitCode(t, p); got != 42 {
		t.Errorf("got exit code %d, want 42", got)
	}
}

func TestTerminalIsNotTakenFromTheForeground(t *testing.T) {
	_, tty := terminal(t)
	cmd := exec.Command("true")
	cmd.Stdin = tty // not our controlling terminal
	giveTerminal(cmd)
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Foreground {
		t.Error("took a terminal that is not ours")
	}
}
