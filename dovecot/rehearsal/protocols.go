package rehearsal

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"pidgeon/config"
)

// protocolTests are how the protocols are tried, by their names.
var protocolTests = map[string]func(*dialogue, private) error{
	"imap": tryIMAP, "pop3": tryPOP3, "sieve": trySieve, "submission": trySubmission, "lmtp": tryLMTP,
}

// tryProtocols goes through every protocol that is on, and stops at the first failure.
func (p private) tryProtocols(ctx context.Context) error {
	for _, protocol := range config.Protocols() {
		if !p.Effective.On(protocol.Name) {
			continue
		}
		if err := p.try(ctx, protocol.Name); err != nil {
			return fmt.Errorf("%s: %w", protocol.Name, err)
		}
	}
	return nil
}

func (p private) try(ctx context.Context, protocol string) error {
	conn, err := dial(ctx, p.path(protocol))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	d := &dialogue{conn: conn, lines: bufio.NewReader(conn)}
	err = protocolTests[protocol](d, p)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w: %q was expected", cause, d.awaited)
	}
	return err
}

// dial waits for a socket that is about to appear.
func dial(ctx context.Context, path string) (net.Conn, error) {
	var dialer net.Dialer
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connecting: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// dialogue speaks one of the line protocols.
type dialogue struct {
	conn    net.Conn
	lines   *bufio.Reader
	awaited string // the beginning of the answer that is waited for
}

// expect reads lines until one begins with good; one that begins with a bad
// prefix ends the test.
func (d *dialogue) expect(good string, bad ...string) error {
	d.awaited = good
	for {
		line, err := d.lines.ReadString('\n')
		line = strings.TrimSpace(line)
		if err != nil {
			return fmt.Errorf("the server hung up while %q was expected: %w", good, err)
		}
		if strings.HasPrefix(line, good) {
			return nil
		}
		for _, prefix := range bad {
			if strings.HasPrefix(line, prefix) {
				return errors.New("the server answered: " + line)
			}
		}
	}
}

// send says a line and expects its answer.
func (d *dialogue) send(line, good string, bad ...string) error {
	if _, err := d.conn.Write([]byte(line + "\r\n")); err != nil {
		return err
	}
	return d.expect(good, bad...)
}

// startTLS asks for TLS and goes over to it.
func (d *dialogue) startTLS(line, good string, bad ...string) error {
	if err := d.send(line, good, bad...); err != nil {
		return err
	}
	return d.secure()
}

// secure goes over to TLS, which shows that key and certificate fit. Who the
// certificate names does not matter here.
func (d *dialogue) secure() error {
	conn := tls.Client(d.conn, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		return fmt.Errorf("the TLS handshake failed: %w", err)
	}
	d.conn, d.lines = conn, bufio.NewReader(conn)
	return nil
}

func (p private) tls() bool { return p.Effective["ssl"] != "no" }

func tryIMAP(d *dialogue, p private) error {
	if err := d.expect("* OK", "* BYE"); err != nil {
		return err
	}
	if p.tls() {
		if err := d.startTLS("a STARTTLS", "a OK", "a NO", "a BAD"); err != nil {
			return err
		}
	}
	if err := d.send(fmt.Sprintf("b LOGIN %s %s", rehearsalUser, p.password), "b OK", "b NO", "b BAD", "* BYE"); err != nil {
		return err
	}
	return d.send("c SELECT INBOX", "c OK", "c NO", "c BAD", "* BYE")
}

func tryPOP3(d *dialogue, p private) error {
	if err := d.expect("+OK", "-ERR"); err != nil {
		return err
	}
	if p.tls() {
		if err := d.startTLS("STLS", "+OK", "-ERR"); err != nil {
			return err
		}
	}
	if err := d.send("USER "+rehearsalUser, "+OK", "-ERR"); err != nil {
		return err
	}
	return d.send("PASS "+p.password, "+OK", "-ERR")
}

func trySieve(d *dialogue, p private) error {
	if err := d.expect("OK", "NO", "BYE"); err != nil {
		return err
	}
	if p.tls() {
		if err := d.startTLS("STARTTLS", "OK", "NO", "BYE"); err != nil {
			return err
		}
		if err := d.expect("OK", "NO", "BYE"); err != nil {
			return err
		}
	}
	token := base64.StdEncoding.EncodeToString([]byte("\x00" + rehearsalUser + "\x00" + p.password))
	if err := d.send(fmt.Sprintf("AUTHENTICATE \"PLAIN\" \"%s\"", token), "OK", "NO", "BYE"); err != nil {
		return err
	}
	return d.send("LISTSCRIPTS", "OK", "NO", "BYE")
}

// trySubmission stops before the login, which needs the relay.
func trySubmission(d *dialogue, p private) error {
	if err := d.expect("220 ", "4", "5"); err != nil {
		return err
	}
	if err := d.send("EHLO pidgeon", "250 ", "4", "5"); err != nil || !p.tls() {
		return err
	}
	return d.startTLS("STARTTLS", "220 ", "4", "5")
}

// tryLMTP goes as far as naming the recipient: with a message, scripts of the
// operator's could send mail.
func tryLMTP(d *dialogue, _ private) error {
	if err := d.expect("220 ", "4", "5"); err != nil {
		return err
	}
	if err := d.send("LHLO pidgeon", "250 ", "4", "5"); err != nil {
		return err
	}
	if err := d.send("MAIL FROM:<>", "250 ", "4", "5"); err != nil {
		return err
	}
	return d.send("RCPT TO:<"+rehearsalUser+">", "250 ", "4", "5")
}
