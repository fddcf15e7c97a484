// Package load is the clients of the benchmarks: they hold sessions of distinct users
// over TLS, or log in and out as fast as they can. They are for servers on this machine
// alone.
package load

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pidgeon/tests/pidgeontest"
)

const (
	// patience is how long any answer may take.
	patience = 30 * time.Second
	// GiveUp is after how many refusals in a row no more sessions are tried: whoever
	// turns many away one after the other turns away the next ones too.
	GiveUp = 24
)

// Crowd is sessions that are held at one server, in IDLE as a mail program that waits
// for mail.
type Crowd struct {
	Port   string // of IMAP over TLS
	AtOnce int    // how many connect, or wake, at the same time

	tried    int
	sessions []*pidgeontest.Session
}

// open logs user i in.
func open(port string, i int) (*pidgeontest.Session, error) {
	s, err := pidgeontest.Dial(&net.Dialer{Timeout: patience, KeepAlive: -1, LocalAddr: source(i)}, port)
	if err != nil {
		return nil, err
	}
	if err := s.Authenticate(fmt.Sprintf("user%d", i), "pass"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// source is the address that session i comes from: the 28,000 ports of a single
// one would not last, as each stays taken for a minute after its connection.
func source(i int) net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%200))}
}

// Grow tries n more sessions, each of a user of its own. It returns how often they
// were refused for what reason.
func (c *Crowd) Grow(n int) map[string]int {
	more := make([]*pidgeontest.Session, n)
	refused := refusals{reasons: map[string]int{}}
	pidgeontest.Each(n, c.AtOnce, func(i int) {
		if refused.inARow.Load() < GiveUp {
			s, err := open(c.Port, c.tried+i)
			if err == nil {
				err = settle(s)
			}
			more[i] = refused.note(s, err)
		}
	})
	c.tried += n
	c.sessions = append(c.sessions, present(more)...)
	return refused.reasons
}

// settle brings a session into the state it is held in.
func settle(s *pidgeontest.Session) error {
	if err := s.Command("SELECT INBOX"); err != nil {
		return err
	}
	return s.Idle()
}

// Held is how many sessions there are.
func (c *Crowd) Held() int { return len(c.sessions) }

// Alive asks all of them and returns how many are still served. They idle no more.
func (c *Crowd) Alive() int {
	pidgeontest.Each(len(c.sessions), c.AtOnce, func(i int) { c.drop(i, ask(c.sessions[i])) })
	c.sessions = present(c.sessions)
	return c.Held()
}

// ask ends the IDLE of a session, and hears whether the server still knows it.
func ask(s *pidgeontest.Session) error {
	if err := s.Done(); err != nil {
		return fmt.Errorf("DONE: %w", err)
	}
	return s.Alive()
}

// drop takes session i out of the crowd if there is an error.
func (c *Crowd) drop(i int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lost a session:", err)
		c.sessions[i].Close()
		c.sessions[i] = nil
	}
}

// Woken says what came of waking a crowd several times.
type Woken struct {
	Woken, Lost int
	Took        time.Duration // all of it together
	P99         time.Duration // of the time in which it was longest
}

// Wake lets all idle for a while and wakes them, several times.
func (c *Crowd) Wake(times int, idle time.Duration) (all Woken) {
	for range times {
		time.Sleep(idle)
		var answers Answers
		begin, woken := time.Now(), len(c.sessions)
		pidgeontest.Each(woken, c.AtOnce, func(i int) {
			begin := time.Now()
			err := ask(c.sessions[i])
			answers.add(time.Since(begin), err)
			if err == nil {
				err = c.sessions[i].Idle()
			}
			c.drop(i, err)
		})
		c.sessions = present(c.sessions)
		all.Took += time.Since(begin)
		all.P99 = max(all.P99, answers.Percentile(99))
		all.Woken += woken
		all.Lost += woken - len(c.sessions)
	}
	return all
}

// Leave has all of them hang up.
func (c *Crowd) Leave() {
	for _, s := range c.sessions {
		s.Close()
	}
}

func present(sessions []*pidgeontest.Session) []*pidgeontest.Session {
	return slices.DeleteFunc(sessions, func(s *pidgeontest.Session) bool { return s == nil })
}

// refusals are counted by reason.
type refusals struct {
	inARow  atomic.Int64
	mu      sync.Mutex
	reasons map[string]int
}

// "read tcp 127.0.0.1:4711->127.0.0.1:993: …" differs for each session.
var addresses = regexp.MustCompile(`[\d.]+:\d+->[\d.]+:\d+`)

func (r *refusals) note(s *pidgeontest.Session, err error) *pidgeontest.Session {
	if err == nil {
		r.inARow.Store(0)
		return s
	}
	r.inARow.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons[addresses.ReplaceAllString(err.Error(), "…")]++
	if s != nil {
		s.Close()
	}
	return nil
}
