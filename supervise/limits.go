package supervise

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
)

// RaiseFiles raises the limit on open files to want, as far as the hard limit
// allows, and the hard limit with it where we are privileged. It never lowers
// it. It returns the limit that children get; that can be less than want.
//
// The Go runtime raises its own soft limit to one below the hard one at start
// and gives children the original back, which nothing shows any more. A call of
// syscall.Setrlimit ends that: children get what we have. That call is made in
// any case, and what the runtime took is kept, since the original might have
// been more than want.
func RaiseFiles(want uint64) (soft uint64, err error) {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return 0, fmt.Errorf("reading the limit on open files: %w", err)
	}
	if want > now.Max && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: want}) == nil {
		return want, nil
	}
	now.Cur = max(now.Cur, min(want, now.Max))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return 0, fmt.Errorf("raising the limit on open files to %d: %w", now.Cur, err)
	}
	return now.Cur, nil
}

// ReserveThreads starts n threads ahead; the runtime keeps idle ones for good.
// When the container has no process left to give, which counts threads too, the
// runtime ends the program for want of a thread: PID 1, and all with it.
func ReserveThreads(n int) {
	var busy, done sync.WaitGroup
	release := make(chan struct{})
	busy.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			busy.Done()
			<-release
		})
	}
	busy.Wait()
	close(release)
	done.Wait()
}
