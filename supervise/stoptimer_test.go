package supervise

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestStopTimer(t *testing.T) {
	type heard struct {
		after time.Duration
		sig   os.Signal
	}
	for name, tt := range map[string]struct {
		heard []heard
		want  time.Duration
	}{
		"first stop":              {[]heard{{0, unix.SIGTERM}}, 8 * time.Second},
		"others do not begin":     {[]heard{{0, unix.SIGUSR1}, {time.Second, unix.SIGINT}}, 9 * time.Second},
		"others do not shorten":   {[]heard{{0, unix.SIGTERM}, {time.Second, unix.SIGHUP}}, 8 * time.Second},
		"second shortens":         {[]heard{{0, unix.SIGTERM}, {2 * time.Second, unix.SIGQUIT}}, 3 * time.Second},
		"second never lengthens":  {[]heard{{0, unix.SIGTERM}, {7500 * time.Millisecond, unix.SIGTERM}}, 8 * time.Second},
		"third does not restart":  {[]heard{{0, unix.SIGTERM}, {0, unix.SIGTERM}, {500 * time.Millisecond, unix.SIGTERM}}, time.Second},
		"after the end: at once":  {[]heard{{0, unix.SIGTERM}, {10 * time.Second, unix.SIGTERM}}, 10 * time.Second},
		"the same signal or not:": {[]heard{{0, unix.SIGINT}, {0, unix.SIGTERM}}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				limit := &stopTimer{grace: 8 * time.Second}
				for _, h := range tt.heard {
					time.Sleep(h.after)
					limit.hear(h.sig)
				}
				<-limit.over
				if got := time.Since(start); got != tt.want {
					t.Errorf("over after %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestStopTimerIsOverForWhoComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &stopTimer{grace: time.Second}
		limit.hear(unix.SIGTERM)
		<-limit.over
		start := time.Now()
		limit.begin()
		<-limit.over
		if got := time.Since(start); got != 0 {
			t.Errorf("over after %v more", got)
		}
	})
}
