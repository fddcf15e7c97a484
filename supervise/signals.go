package supervise

import (
	"bufio"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// passed lists the signals a container may be sent. Left out on purpose: URG
// (the Go runtime uses it to preempt), CHLD (the reaping does), PIPE (below),
// TTIN and TTOU (the terminal means us, not the child), and the ones by which a
// program reports its own crash.
func passed() []os.Signal {
	return []os.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM,
		unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGVTALRM,
		unix.SIGTSTP, unix.SIGCONT, unix.SIGWINCH, unix.SIGIO, unix.SIGPWR,
	}
}

// Notify sends the signals that are ours to handle to c, and returns what ends
// that. A signal that was ignored when the program was started stays ignored;
// of those the Go runtime takes over at start (all but HUP, INT, TSTP and CONT)
// that can no longer be seen.
//
// A write to a standard output nobody reads then gives an error and no longer
// ends the program, and the container with it. Ignoring SIGPIPE would do that
// too, but children would inherit it.
func Notify(c chan<- os.Signal) (stop func()) {
	ignored := ignoredSignals()
	for _, sig := range passed() {
		if ignored&bit(sig) == 0 {
			signal.Notify(c, sig)
		}
	}
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, unix.SIGPIPE)
	return func() {
		signal.Stop(c)
		signal.Stop(unread)
	}
}

// IsStop tells whether sig asks the container to stop.
func IsStop(sig os.Signal) bool {
	return sig == unix.SIGTERM || sig == unix.SIGINT || sig == unix.SIGQUIT
}

// ignoredSignals asks the kernel; signal.Ignored knows only of HUP and INT.
func ignoredSignals() uint64 {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if mask, ok := strings.CutPrefix(lines.Text(), "SigIgn:"); ok {
			bits, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return bits
		}
	}
	return 0
}

func bit(sig os.Signal) uint64 { return 1 << (sig.(unix.Signal) - 1) }
