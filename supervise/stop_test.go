package supervise

import (
	"os"
	"testing"
	"time"
)

// TestStopDoesNotWaitForWhoSleeps stops a parent that ends its sessions no more, and
// sleeps when they have ended, as Dovecot's master does. A session comes to its own end.
func TestStopDoesNotWaitForWhoSleeps(t *testing.T) {
	cmd := sh(`trap '' TERM
		(printf session >/proc/self/comm; trap 'sleep 0.3; echo bye; exit' TERM; echo ready; while :; do sleep 0.05; done) &
		(printf other >/proc/self/comm; trap - TERM; exec sleep 1000) &
		while :; do sleep 1000; done`)
	lines := output(t, cmd)
	s := supervisor(t)
	p, err := s.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	lineIs(t, lines, "ready")
	code := make(chan int, 1)
	go func() {
		code <- s.Stop(p, make(chan os.Signal), time.Hour, func(name string) bool { return name == "session" })
	}()
	lineIs(t, lines, "bye")
	codeIs(t, code, 0)
}
