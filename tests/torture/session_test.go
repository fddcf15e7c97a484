package torture

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// crowd are sessions that stay open.
type crowd struct {
	sessions []*pidgeontest.Session
	gone     map[*pidgeontest.Session]bool
}

// hold opens n sessions of distinct users.
func hold(t *testing.T, port string, n int) *crowd {
	t.Helper()
	held, errs := pidgeontest.Hold(port, n, 100, pidgeontest.Patience, 8)
	t.Cleanup(func() {
		for _, s := range held {
			s.Close()
		}
	})
	if len(errs) > 0 {
		t.Fatalf("%d of %d sessions open: %v", len(held), n, errs[0])
	}
	return &crowd{sessions: held, gone: map[*pidgeontest.Session]bool{}}
}

// lost are the sessions that have ended since the last call.
func (c *crowd) lost() int {
	var mu sync.Mutex
	var all sync.WaitGroup
	lost := 0
	still := slices.DeleteFunc(slices.Clone(c.sessions), func(s *pidgeontest.Session) bool { return c.gone[s] })
	for _, s := range still {
		all.Go(func() {
			if s.Alive() != nil {
				mu.Lock()
				defer mu.Unlock()
				c.gone[s] = true
				lost++
			}
		})
	}
	all.Wait()
	return lost
}

// prober logs in again and again.
type prober struct {
	port string
	stop chan struct{}
	all  sync.WaitGroup

	mu     sync.Mutex
	done   []probe
	flying map[int]time.Time // those that have not come back, with their beginning
	latest time.Time         // beginning of the latest that has
}

// probe is one attempt to log in.
type probe struct {
	from, to time.Time
	err      error
	again    error // of the second attempt; nil also where none was needed
}

const (
	interval = 100 * time.Millisecond
	// probePatience is what a user has who waits for the login.
	probePatience = 10 * time.Second
	// retryPause is what a mail program waits before it tries again. At once it may meet the
	// same reload (seen once, on a busy machine).
	retryPause = 300 * time.Millisecond
)

// probeAll starts a login every interval, whether or not the one before it has
// come back.
func probeAll(t *testing.T, port string) *prober {
	p := &prober{port: port, stop: make(chan struct{}), flying: map[int]time.Time{}}
	p.all.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.all.Go(func() { p.try(n) })
			}
		}
	})
	t.Cleanup(p.end)
	return p
}

func (p *prober) end() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.all.Wait()
}

func (p *prober) try(n int) {
	attempt := probe{from: time.Now()}
	p.mu.Lock()
	p.flying[n] = attempt.from
	p.mu.Unlock()
	user := fmt.Sprintf("user%d", n%50)
	attempt.err = login(p.port, user)
	attempt.to = time.Now()
	if attempt.err != nil {
		time.Sleep(retryPause)
		attempt.again = login(p.port, user)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flying, n)
	p.done = append(p.done, attempt)
	if attempt.from.After(p.latest) {
		p.latest = attempt.from
	}
}

func login(port, user string) error {
	s, err := pidgeontest.LogIn(port, user, "pass", probePatience)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Command("LOGOUT")
}

// settle waits until one that began after since has come back, and all that
// began before.
func (p *prober) settle(since time.Time) {
	pidgeontest.Within(3*probePatience, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, from := range p.flying {
			if from.Before(since) {
				return false
			}
		}
		return p.latest.After(since)
	})
}

// take returns the attempts that came back since the last call.
func (p *prober) take() []probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := p.done
	p.done = nil
	return done
}
