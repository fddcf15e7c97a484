package main

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

// session is one IMAP client over TLS.
type session struct {
	conn  net.Conn
	lines *bufio.Reader
	told  []string // untagged lines, BYE among them
}

// insecure accepts the self-signed certificate.
var insecure = &tls.Config{InsecureSkipVerify: true}

// logIn opens a session and selects INBOX.
func logIn(port, user, password string, limit time.Duration) (*session, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: limit}, Config: insecure}
	conn, err := dialer.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, lines: bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(limit))
	if err := s.open(user, password); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) open(user, password string) error {
	greeting, err := s.lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("waiting for the greeting: %w", err)
	}
	if !strings.HasPrefix(greeting, "* OK") {
		return fmt.Errorf("greeting: %s", greeting)
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	if err := s.command("AUTHENTICATE PLAIN " + plain); err != nil {
		return err
	}
	return s.command("SELECT INBOX")
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
		s.told = append(s.told, line)
	}
}

func (s *session) alive() bool {
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	return s.command("NOOP") == nil
}

// bye reads to the end of the session and tells whether the server took its
// leave.
func (s *session) bye() bool {
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	for {
		line, err := s.lines.ReadString('\n')
		s.told = append(s.told, line)
		if err != nil {
			return strings.Contains(strings.Join(s.told, ""), "* BYE")
		}
	}
}

// hold opens n sessions, a few at a time, as user FROM and those that follow.
func hold(port string, n, from int, limit time.Duration, atOnce int) (held []*session, errs []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range n {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			s, err := logIn(port, fmt.Sprintf("user%d", from+i), "pass", limit)
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
