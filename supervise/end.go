package supervise

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// logFlush is how long Dovecot's log process gets to write the last lines of
	// ended processes, because nothing signals when it is done.
	logFlush = 100 * time.Millisecond
	// killWait bounds the wait after SIGKILL, because a process that hangs in a dead file
	// system does not end.
	killWait = 2 * time.Second
	// pollEvery paces the questions for which the kernel sends no event: is this
	// group empty, is no child left.
	pollEvery = 5 * time.Millisecond
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

// endFirst ends the processes below us whose name is accepted, and waits for them.
func (s *Supervisor) endFirst(ctx context.Context, accept func(name string) bool) {
	named := func() []process {
		return slices.DeleteFunc(descendants(), func(p process) bool { return !accept(p.name) })
	}
	asked := named()
	if len(asked) == 0 {
		return
	}
	signalEach(asked, unix.SIGTERM)
	poll(ctx, func() bool { return len(named()) == 0 })
	Sleep(ctx, logFlush)
}

// killAll repeats itself: without kill(-1) a process can fork between the look
// at /proc and the signal.
func (s *Supervisor) killAll() (killed int) {
	killed = signalAll(unix.SIGKILL)
	s.awaitKilled(func() bool {
		if childless() {
			return true
		}
		signalAll(unix.SIGKILL)
		return false
	})
	return killed
}

func (s *Supervisor) awaitKilled(gone func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	if !poll(ctx, gone) {
		s.log.Warn("killed processes do not end", "left", len(descendants()))
	}
}

// signalAll returns how many processes below us were there to be signalled.
// Only PID 1 may use kill(-1): it reaches all at once, forks included, but for
// anyone else it reaches far beyond the container.
func signalAll(sig unix.Signal) int {
	left := descendants()
	if isInit() {
		_ = unix.Kill(-1, sig)
	} else {
		signalEach(left, sig)
	}
	return len(left)
}

func signalEach(list []process, sig unix.Signal) {
	for _, p := range list {
		_ = unix.Kill(p.pid, sig)
	}
}

// poll asks until done says yes or ctx ends.
func poll(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return done()
		case <-tick.C:
		}
	}
	return true
}

// Sleep waits, and no longer than ctx lasts.
func Sleep(ctx context.Context, d time.Duration) { closedWithin(ctx.Done(), d) }

// closedWithin waits for done, but no longer than limit.
func closedWithin(done <-chan struct{}, limit time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

type process struct {
	pid, parent, session int
	name                 string
	state                byte
}

// live is false for zombies.
func (p process) live() bool { return p.state != 'Z' && p.state != 'X' }

// descendants lists the live processes below us. It reads every /proc/PID/stat:
// the children files beside it need a kernel option, and skip entries while
// siblings end (proc(5)), which is just when they are asked.
func descendants() (live []process) {
	children := map[int][]process{}
	for _, p := range processes() {
		children[p.parent] = append(children[p.parent], p)
	}
	for parents := []int{os.Getpid()}; len(parents) > 0; parents = parents[1:] {
		for _, p := range children[parents[0]] {
			parents = append(parents, p.pid)
			if p.live() {
				live = append(live, p)
			}
		}
	}
	return live
}

func processes() (all []process) {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		data, _ := os.ReadFile(path) // gone meanwhile: no data, no process
		if p, ok := parseStat(data); ok {
			all = append(all, p)
		}
	}
	return all
}

// parseStat reads "PID (NAME) STATE PARENT GROUP SESSION …". The name is the
// program's own choice and may hold blanks and parentheses: the last one counts.
func parseStat(data []byte) (p process, ok bool) {
	before, name, _ := bytes.Cut(data, []byte(" ("))
	end := max(bytes.LastIndexByte(name, ')'), 0)
	p.name = string(name[:end])
	n, _ := fmt.Sscanf(string(before)+string(name[end:]), "%d) %c %d %d %d", &p.pid, &p.state, &p.parent, new(int), &p.session)
	return p, n == 5
}
