package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// What a held session does. A mail program that waits for mail is in IDLE.
const (
	login    = "login"
	selected = "select"
	idle     = "idle"
)

// client is what all sessions have in common.
type client struct {
	address, password, state string
	patience                 time.Duration
}

// handshake makes each session pay for a full handshake, with the key exchange
// that both Dovecots and nearly all mail programs know: Go and OpenSSL 3.5 would
// agree on a post-quantum one, OpenSSL 3.0 would not.
var handshake = &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}

// source is the address that session i comes from: the 28,000 ports of a single
// one would not last, as each stays taken for a minute after its connection.
func source(i int) net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%200))}
}

// session is one logged-in connection. It has no goroutine: nothing reads while
// it idles, and what Dovecot sends meanwhile waits in the socket.
type session struct {
	user  int
	conn  net.Conn
	lines *bufio.Reader
}

// open logs in. Keep-alive is off: by the ten thousand it would be a load.
func (c client) open(i int) (*session, error) {
	dialer := &net.Dialer{Timeout: c.patience, KeepAlive: -1, LocalAddr: source(i)}
	raw, err := dialer.Dial("tcp", c.address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, handshake)
	_ = conn.SetDeadline(time.Now().Add(c.patience))
	s := &session{i, conn, bufio.NewReaderSize(conn, 256)}
	if err = s.expect("* OK"); err == nil {
		err = s.ask("a", fmt.Sprintf("LOGIN user%d %s", i, c.password))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// settle brings a session into the state it is held in.
func (c client) settle(s *session) (err error) {
	if c.state != login {
		err = s.ask("b", "SELECT INBOX")
	}
	if c.state == idle && err == nil {
		err = s.idle()
	}
	_ = s.conn.SetDeadline(time.Time{})
	return err
}

func (s *session) idle() error {
	if err := s.send("c IDLE"); err != nil {
		return err
	}
	return s.expect("+ ")
}

// alive says why the server does not serve the session any more.
func (c client) alive(s *session) error {
	_ = s.conn.SetDeadline(time.Now().Add(c.patience))
	if c.state == idle {
		if err := errors.Join(s.send("DONE"), s.expect("c OK")); err != nil {
			return fmt.Errorf("DONE: %w", err)
		}
	}
	return s.ask("n", "NOOP")
}

func (s *session) send(line string) error {
	_, err := fmt.Fprintf(s.conn, "%s\r\n", line)
	return err
}

func (s *session) ask(tag, command string) error {
	if err := s.send(tag + " " + command); err != nil {
		return err
	}
	return s.expect(tag + " OK")
}

// expect reads up to a line that begins with prefix. Untagged lines may come
// before it, of any length.
func (s *session) expect(prefix string) error {
	for {
		line, err := s.lines.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, prefix):
			return nil
		case strings.HasPrefix(line, "* BYE"), !strings.HasPrefix(line, "* "):
			return errors.New(strings.TrimSpace(line))
		}
	}
}
