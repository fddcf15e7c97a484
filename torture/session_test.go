package torture

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// session is one IMAP client over TLS.
type session struct {
	conn  net.Conn
	lines *bufio.Reader
}

// insecure accepts the self-signed certificate.
var insecure = &tls.Config{InsecureSkipVerify: true}

// logIn opens a session and selects INBOX.
func logIn(port, user string, limit time.Duration) (*session, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: limit}, Config: insecure}
	conn, err := dialer.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, lines: bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(limit))
	if err := s.open(user); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) open(user string) error {
	greeting, err := s.lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("waiting for the greeting: %w", err)
	}
	if !strings.HasPrefix(greeting, "* OK") {
		return fmt.Errorf("greeting: %s", greeting)
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00pass"))
	if err := s.command("AUTHENTICATE PLAIN " + plain); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	if err := s.command("SELECT INBOX"); err != nil {
		return fmt.Errorf("opening INBOX: %w", err)
	}
	return nil
}

// command returns nil when the server says OK.
func (s *session) command(text string) error {
	if _, err := fmt.Fprintf(s.conn, "x %s\r\n", text); err != nil {
		return err
	}
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return err
		}
		if status, ok := strings.CutPrefix(line, "x "); ok {
			if strings.HasPrefix(status, "OK") {
				return nil
			}
			return errors.New(strings.TrimSpace(status))
		}
	}
}

func (s *session) alive() bool {
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	return s.command("NOOP") == nil
}

// crowd are sessions that stay open.
type crowd struct {
	sessions []*session
	gone     map[*session]bool
}

// hold opens n sessions of distinct users.
func hold(t *testing.T, port string, n int) *crowd {
	t.Helper()
	c := &crowd{gone: map[*session]bool{}}
	t.Cleanup(func() {
		for _, s := range c.sessions {
			s.conn.Close()
		}
	})
	for i := range n {
		s, err := logIn(port, fmt.Sprintf("user%d", 100+i), patience)
		if err != nil {
			t.Fatalf("session %d of %d: %v", i+1, n, err)
		}
		c.sessions = append(c.sessions, s)
	}
	return c
}

// lost are the sessions that have ended since the last call.
func (c *crowd) lost() int {
	var mu sync.Mutex
	var all sync.WaitGroup
	lost := 0
	still := slices.DeleteFunc(slices.Clone(c.sessions), func(s *session) bool { return c.gone[s] })
	for _, s := range still {
		all.Go(func() {
			if !s.alive() {
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
	s, err := logIn(port, user, probePatience)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	return s.command("LOGOUT")
}

// settle waits until one that began after since has come back, and all that
// began before.
func (p *prober) settle(since time.Time) {
	within(3*probePatience, func() bool {
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
