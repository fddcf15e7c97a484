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

// Session is one IMAP client. Nothing reads while it idles: what the server sends
// meanwhile waits in the socket.
type Session struct {
	Greeting string
	Told     []string // untagged lines, BYE among them

	conn  net.Conn
	lines *bufio.Reader
	limit time.Duration // for each answer, once it is open
}

// insecure accepts the self-signed certificate. The key exchange is one that both
// Dovecots and nearly all mail programs know, so that a handshake costs the same with
// both: Go and OpenSSL 3.5 would agree on a post-quantum one, OpenSSL 3.0 would not.
var insecure = &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}

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

// Greeted opens a connection over TLS and reads the greeting.
func Greeted(port string, limit time.Duration) (*Session, error) {
	return Dial(&net.Dialer{Timeout: limit}, port)
}

// Dial does so from where the dialer says. Its timeout holds until the session is open,
// and then for each answer.
func Dial(dialer *net.Dialer, port string) (*Session, error) {
	s, err := Connect(dialer, port)
	if err != nil {
		return nil, err
	}
	s.use(tls.Client(s.conn, insecure))
	if err := s.greet(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Greeting is what a client reads first that does without TLS.
func Greeting(port string, limit time.Duration) (string, error) {
	s, err := Connect(&net.Dialer{Timeout: limit}, port)
	if err != nil {
		return "", err
	}
	defer s.Close()
	err = s.greet()
	return s.Greeting, err
}

// Connect opens a connection and says nothing, not even in TLS.
func Connect(dialer *net.Dialer, port string) (*Session, error) {
	conn, err := dialer.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	s := &Session{limit: dialer.Timeout}
	s.use(conn)
	s.renew()
	return s, nil
}

// use speaks over conn. The buffer is small, as there may be thousands of them.
func (s *Session) use(conn net.Conn) { s.conn, s.lines = conn, bufio.NewReaderSize(conn, 256) }

// renew gives the next answer all its time.
func (s *Session) renew() { _ = s.conn.SetDeadline(time.Now().Add(s.limit)) }

func (s *Session) greet() error {
	line, err := s.lines.ReadString('\n')
	switch s.Greeting = strings.TrimSpace(line); {
	case err != nil:
		return fmt.Errorf("waiting for the greeting: %w", err)
	case !strings.HasPrefix(line, "* OK"):
		return fmt.Errorf("greeting: %s", line)
	}
	return nil
}

// Open logs in and selects INBOX.
func (s *Session) Open(user, password string) error {
	if err := s.Authenticate(user, password); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	if err := s.Command("SELECT INBOX"); err != nil {
		return fmt.Errorf("opening INBOX: %w", err)
	}
	return nil
}

// Authenticate logs in.
func (s *Session) Authenticate(user, password string) error {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	return s.Command("AUTHENTICATE PLAIN " + plain)
}

// Command returns nil when the server says OK.
func (s *Session) Command(text string) error { return s.ask("x "+text, "x OK") }

// Idle waits for news, as mail programs do when nobody uses them.
func (s *Session) Idle() error {
	s.renew()
	return s.ask("i IDLE", "+")
}

// Done ends the waiting.
func (s *Session) Done() error {
	s.renew()
	return s.ask("DONE", "i OK")
}

// Alive asks the server, and says why it does not answer.
func (s *Session) Alive() error {
	s.renew()
	return s.Command("NOOP")
}

// ask sends a line and reads up to the one that begins with answer.
func (s *Session) ask(text, answer string) error {
	if _, err := fmt.Fprintf(s.conn, "%s\r\n", text); err != nil {
		return err
	}
	for {
		line, err := s.lines.ReadString('\n')
		switch {
		case err != nil:
			return s.ending(err)
		case strings.HasPrefix(line, answer):
			return nil
		case !strings.HasPrefix(line, "* "):
			return errors.New(strings.TrimSpace(line))
		}
		s.Told = append(s.Told, line)
	}
}

// ending is why a session has ended: the server may have said so before.
func (s *Session) ending(err error) error {
	if n := len(s.Told); n > 0 && strings.HasPrefix(s.Told[n-1], "* BYE") {
		return errors.New(strings.TrimSpace(s.Told[n-1]))
	}
	return err
}

// Hears waits for an untagged line that ends with text.
func (s *Session) Hears(text string) error {
	s.renew()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil || strings.HasSuffix(strings.TrimSpace(line), text) {
			return err
		}
	}
}

// Bye reads to the end of the session and tells whether the server took its
// leave.
func (s *Session) Bye() bool {
	s.renew()
	for {
		line, err := s.lines.ReadString('\n')
		s.Told = append(s.Told, line)
		if err != nil {
			return strings.Contains(strings.Join(s.Told, ""), "* BYE")
		}
	}
}

// Certificate is the name in the server's certificate.
func (s *Session) Certificate() string {
	return s.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
}

// Close ends it without a word.
func (s *Session) Close() { s.conn.Close() }

// Hold opens n sessions, some at once, of user FROM and those that follow.
func Hold(port string, n, from int, limit time.Duration, atOnce int) (held []*Session, errs []error) {
	var mu sync.Mutex
	Each(n, atOnce, func(i int) {
		s, err := LogIn(port, fmt.Sprintf("user%d", from+i), "pass", limit)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			held = append(held, s)
		} else {
			errs = append(errs, err)
		}
	})
	return held, errs
}

// Each calls f for 0 to n-1, some at once.
func Each(n, atOnce int, f func(int)) {
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i := range n {
		free <- struct{}{}
		all.Go(func() {
			f(i)
			<-free
		})
	}
	all.Wait()
}
