package supervise

import (
	"runtime"
	"sync"
)

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
