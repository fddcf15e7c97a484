package pidgeontest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Session is one IMAP client over TLS.
type Session struct {
	Told []string // untagged lines, BYE among them

	conn  net.Conn
	lines *bufio.Reader
}

// Insecure accepts the self-signed certificate.
var Insecure = &tls.Config{InsecureSkipVerify: true}

// LogIn opens a session and selects INBOX.
func LogIn(port, user, password string, limit time.Duration) (*Session, error) {
	s, err := Greeted(port, limit)
	if err != nil {
		return nil, err
	}
	if err := s.Open(user, password); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Greeted opens a connection and reads the greeting.
func Greeted(port string, limit time.Duration) (*Session, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: limit}, Config: Insecure}
	conn, err := dialer.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	s := &Session{conn: conn, lines: bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(limit))
	greeting, err := s.lines.ReadString('\n')
	switch {
	case err != nil:
		err = fmt.Errorf("waiting for the greeting: %w", err)
	case !strings.HasPrefix(greeting, "* OK"):
		err = fmt.Errorf("greeting: %s", greeting)
	default:
		return s, nil
	}
	conn.Close()
	return nil, err
}

// Connect opens a connection and says nothing, not even in TLS.
func Connect(port string, limit time.Duration) (*Session, error) {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, limit)
	if err != nil {
		return nil, err
	}
	return &Session{conn: conn}, nil
}

// Open logs in and selects INBOX.
func (s *Session) Open(user, password string) error {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	if err := s.Command("AUTHENTICATE PLAIN " + plain); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	if err := s.Command("SELECT INBOX"); err != nil {
		return fmt.Errorf("opening INBOX: %w", err)
	}
	return nil
}

// Command returns nil when the server says OK.
func (s *Session) Command(text string) error {
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
		s.Told = append(s.Told, line)
	}
}

// Idle waits for news, as mail programs do when nobody uses them.
func (s *Session) Idle() error {
	_ = s.conn.SetDeadline(time.Now().Add(Patience))
	if _, err := fmt.Fprint(s.conn, "i IDLE\r\n"); err != nil {
		return err
	}
	return s.hear("+")
}

// Hears waits for an untagged line that ends with text.
func (s *Session) Hears(text string) error {
	_ = s.conn.SetDeadline(time.Now().Add(Patience))
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil || strings.HasSuffix(strings.TrimSpace(line), text) {
			return err
		}
	}
}

// Done ends the waiting.
func (s *Session) Done() error {
	_ = s.conn.SetDeadline(time.Now().Add(Patience))
	if _, err := fmt.Fprint(s.conn, "DONE\r\n"); err != nil {
		return err
	}
	return s.hear("i OK")
}

// hear reads up to the line that begins with prefix.
func (s *Session) hear(prefix string) error {
	for {
		line, err := s.lines.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, prefix):
			return nil
		case !strings.HasPrefix(line, "* "):
			return errors.New(strings.TrimSpace(line))
		}
		s.Told = append(s.Told, line)
	}
}

// Alive asks the server.
func (s *Session) Alive() bool {
	_ = s.conn.SetDeadline(time.Now().Add(Patience))
	return s.Command("NOOP") == nil
}

// Bye reads to the end of the session and tells whether the server took its
// leave.
func (s *Session) Bye() bool {
	_ = s.conn.SetDeadline(time.Now().Add(Patience))
	for {
		line, err := s.lines.ReadString('\n')
		s.Told = append(s.Told, line)
		if err != nil {
			return strings.Contains(strings.Join(s.Told, ""), "* BYE")
		}
	}
}

// Close ends it without a word.
func (s *Session) Close() { s.conn.Close() }

// Hold opens n sessions, some at once, of user FROM and those that follow.
func Hold(port string, n, from int, limit time.Duration, atOnce int) (held []*Session, errs []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range n {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			s, err := LogIn(port, fmt.Sprintf("user%d", from+i), "pass", limit)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			held = append(held, s)
		})
	}
	all.Wait()
	return held, errs
}
