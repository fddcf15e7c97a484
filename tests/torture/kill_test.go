package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestStoppedInTheMiddle stops the server, gently and not, at random moments of a
// change; on the same volumes it has to start and serve each time.
func TestStoppedInTheMiddle(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 0, syscall.SIGKILL: 137} {
		t.Run(sig.String(), func(t *testing.T) {
			onEach(t, func(t *testing.T, dialect, root string) {
				s := newServer(t, dialect, root)
				chance := rand.New(rand.NewPCG(seed, uint64(sig)))
				for round := range rounds(2) {
					s.startServing(t)
					if err := login(s.port(), "user1"); err != nil {
						t.Fatalf("round %d: a login fails: %v", round, err)
					}
					s.override(t, "greeting.conf", fmt.Sprintf("login_greeting = %d\n", round))
					pause := time.Duration(chance.IntN(1000)) * time.Millisecond
					time.Sleep(pause)
					s.signal(sig)
					if got := s.exit(t, pidgeontest.Patience); got != code {
						t.Errorf("round %d, after %v: exit code %d instead of %d", round, pause, got, code)
					}
				}
				s.startServing(t)
				s.mustServe(t, &crowd{})
				s.mustBeCalm(t)
			})
		})
	}
}

// TestStaleMasterPID starts where a killed container left the PID of a process
// that is another one now.
func TestStaleMasterPID(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		if err := os.MkdirAll(s.path("run", "dovecot"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, s.path("run", "dovecot", "master.pid"), "1\n")
		s.startServing(t)
		s.mustServe(t, &crowd{})
	})
}

// TestMasterKilled kills Dovecot's master: pidgeon has to end as it did, with
// nothing left behind.
func TestMasterKilled(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		s.startServing(t)
		c := hold(t, s.port(), 10)
		if err := syscall.Kill(s.Find("dovecot"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if code := s.exit(t, pidgeontest.Patience); code != 137 {
			t.Errorf("exit code %d instead of 137", code)
		}
		if lost := c.lost(); lost != 10 {
			t.Errorf("%d of 10 sessions ended", lost)
		}
		s.startServing(t)
		s.mustServe(t, &crowd{})
	})
}

// TestStoppedWhileStarting sends SIGTERM at random moments of a start.
func TestStoppedWhileStarting(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		chance := rand.New(rand.NewPCG(seed, 99))
		for round := range rounds(2) {
			s.start(t)
			pause := 20*time.Millisecond + time.Duration(chance.IntN(600))*time.Millisecond
			time.Sleep(pause)
			s.signal(syscall.SIGTERM)
			from := time.Now()
			code := s.exit(t, pidgeontest.Patience)
			// 2 is how Go ends a PID 1 that has not come to main yet.
			if silent := len(s.Log.Matches(".")) == 0; code != 0 && !(code == 2 && silent) {
				t.Errorf("round %d: exit code %d, %v into the start", round, code, pause)
			}
			if took := time.Since(from); took > 5*time.Second {
				t.Errorf("round %d: took %v to end, %v into the start", round, took, pause)
			}
		}
		s.startServing(t)
		s.mustServe(t, &crowd{})
	})
}

// TestStoppedAtOnce sends SIGTERM when Dovecot's master has said no more than that
// it starts.
func TestStoppedAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		for round := range rounds(3) {
			s.start(t)
			s.Log.Await("starting up for", pidgeontest.Patience)
			s.signal(syscall.SIGTERM)
			if code := s.exit(t, pidgeontest.Patience); code != 0 {
				t.Errorf("round %d: exit code %d", round, code)
			}
		}
	})
}
