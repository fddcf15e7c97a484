package supervise

import (
	"fmt"
	"os"
	"os/signal"
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

// realTime lists SIGRTMIN+1 to SIGRTMAX. The C libraries use 32 to 34 for
// themselves, so the Go runtime leaves SIGRTMIN (34) as it is: nobody gets it.
func realTime() (list []os.Signal) {
	for sig := unix.Signal(35); sig <= 64; sig++ {
		list = append(list, sig)
	}
	return list
}

// Notify sends the signals that are ours to handle to c. A signal that was ignored
// when the program was started stays ignored; of those the Go runtime takes over at
// start (all but HUP, INT, TSTP and CONT) that can no longer be seen. Real-time
// signals are dropped by the Go runtime.
//
// A write to a standard output nobody reads then gives an error and no longer
// ends the program, and the container with it. Ignoring SIGPIPE would do that
// too, but children would inherit it.
func Notify(c chan<- os.Signal) { notify(c, passed()) }

// NotifyAll is Notify with the real-time signals, for a command of the user's own:
// some mean a stop to it (systemd: SIGRTMIN+3), none does to us.
func NotifyAll(c chan<- os.Signal) { notify(c, append(passed(), realTime()...)) }

func notify(c chan<- os.Signal, list []os.Signal) {
	ignored := ignoredSignals()
	for _, sig := range list {
		if ignored&bit(sig) == 0 {
			signal.Notify(c, sig)
		}
	}
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // which nobody reads
}

// IsStop reports whether sig asks the container to stop.
func IsStop(sig os.Signal) bool {
	return sig == unix.SIGTERM || sig == unix.SIGINT || sig == unix.SIGQUIT
}

// ignoredSignals asks the kernel; signal.Ignored knows only of HUP and INT.
func ignoredSignals() (mask uint64) {
	status, _ := os.ReadFile("/proc/self/status")
	_, line, _ := strings.Cut(string(status), "\nSigIgn:")
	_, _ = fmt.Sscanf(line, "%x", &mask)
	return mask
}

func bit(sig os.Signal) uint64 { return 1 << (sig.(unix.Signal) - 1) }
