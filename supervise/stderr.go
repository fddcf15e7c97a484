package supervise

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// atOnce is what a pipe takes without waiting, where poll(2) says that it takes
	// something (pipe(7): PIPE_BUF).
	atOnce = 4096
	// readerPatience is how long a line waits for a reader of the log; those that follow
	// it do not.
	readerPatience = 100 * time.Millisecond
	// relayPatience is how long a relayed line may delay one of pidgeon's.
	relayPatience = 10 * time.Millisecond
)

// Stderr is the standard error of a process that hears signals whether its log is read
// or not: a line that finds no room is lost.
type Stderr struct {
	mu               sync.Mutex
	stalled, hurried atomic.Bool
}

// Write writes a line, if there is room.
func (e *Stderr) Write(line []byte) (int, error) {
	for part := range slices.Chunk(line, atOnce) {
		patience := readerPatience
		if e.stalled.Load() {
			patience = 0
		}
		e.stalled.Store(!e.put(part, patience))
	}
	return len(line), nil
}

func (e *Stderr) put(part []byte, patience time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	room := writable(int32(os.Stderr.Fd()), patience)
	if room {
		os.Stderr.Write(part)
	}
	return room
}

func writable(fd int32, patience time.Duration) bool {
	wanted := []unix.PollFd{{Fd: fd, Events: unix.POLLOUT}}
	for end := time.Now().Add(patience); ; {
		n, err := unix.Poll(wanted, int(max(0, time.Until(end).Milliseconds())))
		if !errors.Is(err, unix.EINTR) {
			return n > 0 || err != nil
		}
	}
}

// DropRelays has a Relay drop lines instead of waiting for a reader.
func (e *Stderr) DropRelays() { e.hurried.Store(true) }

// Relay writes the log of another process, which waits for a reader as it would without
// pidgeon.
type Relay struct{ *Stderr }

// Write writes a line.
func (r Relay) Write(line []byte) (int, error) {
	for part := range slices.Chunk(line, atOnce) {
		written := false
		for !written && !r.hurried.Load() {
			written = r.put(part, relayPatience)
		}
		if !written {
			r.Stderr.Write(part)
		}
	}
	return len(line), nil
}
