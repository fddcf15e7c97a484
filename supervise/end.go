package supervise

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// EndAll ends every process that is left: SIGTERM, and SIGKILL for what has not
// ended when ctx does. All are reaped. It returns how many were alive when
// asked, and how many of those, or of what they started since, had to be
// killed.
//
// It waits for our descendants. Others in the container (docker exec) are asked
// to end as well, but an idle shell among them does not hold up the stop: the
// kernel ends them with PID 1.
func (s *Supervisor) EndAll(ctx context.Context) (ended, killed int) {
	if childless() {
		return 0, 0
	}
	ended = signalAll(unix.SIGTERM)
	signalAll(unix.SIGCONT) // a stopped process sees its SIGTERM only now
	if poll(ctx, childless) {
		return ended, 0
	}
	return ended, s.killAll()
}

// lastWords is how long a process may need to pass on what another one said when
// it ended: nothing tells when it has.
const lastWords = 100 * time.Millisecond

// endFirst asks some of the processes below us to end, and waits for them.
func (s *Supervisor) endFirst(ctx context.Context, first func(name string) bool) {
	asked := named(first)
	if len(asked) == 0 {
		return
	}
	for _, pid := range asked {
		_ = unix.Kill(pid, unix.SIGTERM)
	}
	poll(ctx, func() bool { return len(named(first)) == 0 })
	select {
	case <-ctx.Done():
	case <-time.After(lastWords):
	}
}

// named lists the live processes below us whose name is accepted.
func named(accept func(name string) bool) []int {
	return slices.DeleteFunc(descendants(), func(pid int) bool {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err != nil || !accept(strings.TrimSpace(string(name)))
	})
}

// killAll repeats itself: without kill(-1) a process can fork between the look
// at /proc and the signal.
func (s *Supervisor) killAll() (killed int) {
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	killed = signalAll(unix.SIGKILL)
	gone := func() bool {
		if childless() {
			return true
		}
		signalAll(unix.SIGKILL)
		return false
	}
	if !poll(ctx, gone) {
		s.log.Warn("killed processes do not end", "left", len(descendants()))
	}
	return killed
}

// signalAll returns how many processes below us were there to be signalled.
// Only PID 1 may use kill(-1): it reaches all at once, forks included, but for
// anyone else it reaches far beyond the container.
func signalAll(sig unix.Signal) int {
	left := descendants()
	if isInit() {
		_ = unix.Kill(-1, sig)
		return len(left)
	}
	for _, pid := range left {
		_ = unix.Kill(pid, sig)
	}
	return len(left)
}
