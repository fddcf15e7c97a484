package dovecot

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
)

// scene is how a protocol is played in a rehearsal.
type scene struct {
	protocol, service string
	play              func(*dialogue, stage) error
}

var scenes = [...]scene{
	{"imap", "imap-login", playIMAP},
	{"pop3", "pop3-login", playPOP3},
	{"sieve", "managesieve-login", playSieve},
	{"submission", "submission-login", playSubmission},
	{"lmtp", "lmtp", playLMTP},
}

// play goes through every protocol that is on, and stops at the first failure.
func (s stage) play(ctx context.Context) error {
	for _, scene := range scenes {
		if !s.Effective.On(scene.protocol) {
			continue
		}
		if err := s.playOne(ctx, scene); err != nil {
			return fmt.Errorf("%s: %w", scene.protocol, err)
		}
	}
	return nil
}

func (s stage) playOne(ctx context.Context, scene scene) error {
	conn, err := dial(ctx, s.path(scene.protocol))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	d := &dialogue{conn: conn, lines: bufio.NewReader(conn)}
	err = scene.play(d, s)
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
// prefix ends the scene.
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

func (d *dialogue) say(line string) error {
	_, err := d.conn.Write([]byte(line + "\r\n"))
	return err
}

// ask says a line and expects its answer.
func (d *dialogue) ask(line, good string, bad ...string) error {
	if err := d.say(line); err != nil {
		return err
	}
	return d.expect(good, bad...)
}

// startTLS asks for TLS and goes over to it.
func (d *dialogue) startTLS(line, good string, bad ...string) error {
	if err := d.ask(line, good, bad...); err != nil {
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

func (s stage) tls() bool { return s.Effective["ssl"] != "no" }

func playIMAP(d *dialogue, s stage) error {
	if err := d.expect("* OK", "* BYE"); err != nil {
		return err
	}
	if s.tls() {
		if err := d.startTLS("a STARTTLS", "a OK", "a NO", "a BAD"); err != nil {
			return err
		}
	}
	if err := d.ask(fmt.Sprintf("b LOGIN %s %s", rehearsalUser, s.password), "b OK", "b NO", "b BAD", "* BYE"); err != nil {
		return err
	}
	return d.ask("c SELECT INBOX", "c OK", "c NO", "c BAD", "* BYE")
}

func playPOP3(d *dialogue, s stage) error {
	if err := d.expect("+OK", "-ERR"); err != nil {
		return err
	}
	if s.tls() {
		if err := d.startTLS("STLS", "+OK", "-ERR"); err != nil {
			return err
		}
	}
	if err := d.ask("USER "+rehearsalUser, "+OK", "-ERR"); err != nil {
		return err
	}
	return d.ask("PASS "+s.password, "+OK", "-ERR")
}

func playSieve(d *dialogue, s stage) error {
	if err := d.expect("OK", "NO", "BYE"); err != nil {
		return err
	}
	if s.tls() {
		if err := d.startTLS("STARTTLS", "OK", "NO", "BYE"); err != nil {
			return err
		}
		if err := d.expect("OK", "NO", "BYE"); err != nil {
			return err
		}
	}
	token := base64.StdEncoding.EncodeToString([]byte("\x00" + rehearsalUser + "\x00" + s.password))
	if err := d.ask(fmt.Sprintf("AUTHENTICATE \"PLAIN\" \"%s\"", token), "OK", "NO", "BYE"); err != nil {
		return err
	}
	return d.ask("LISTSCRIPTS", "OK", "NO", "BYE")
}

// playSubmission stops before the login, which needs the relay.
func playSubmission(d *dialogue, s stage) error {
	if err := d.expect("220 ", "4", "5"); err != nil {
		return err
	}
	if err := d.ask("EHLO pidgeon", "250 ", "4", "5"); err != nil || !s.tls() {
		return err
	}
	return d.startTLS("STARTTLS", "220 ", "4", "5")
}

// playLMTP goes as far as naming the recipient: with a message, scripts of the
// operator's could send mail.
func playLMTP(d *dialogue, _ stage) error {
	if err := d.expect("220 ", "4", "5"); err != nil {
		return err
	}
	if err := d.ask("LHLO pidgeon", "250 ", "4", "5"); err != nil {
		return err
	}
	if err := d.ask("MAIL FROM:<>", "250 ", "4", "5"); err != nil {
		return err
	}
	return d.ask("RCPT TO:<"+rehearsalUser+">", "250 ", "4", "5")
}
