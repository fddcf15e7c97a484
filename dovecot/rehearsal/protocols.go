package rehearsal

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"pidgeon/config"
)

// step is a line that is said, nothing for a greeting, and how a good answer begins.
type step struct {
	say, good string
	tls       bool // it is left out without TLS; what is said asks for TLS, which then begins
}

// protocolTests are how the protocols are tried, by their names.
var protocolTests = map[string]func(*dialogue, private) error{
	"imap": conversation([]string{"* BYE", "a NO", "a BAD", "b NO", "b BAD", "c NO", "c BAD"},
		step{good: "* OK"}, step{"a STARTTLS", "a OK", true}, step{say: "b LOGIN {user} {password}", good: "b OK"}, step{say: "c SELECT INBOX", good: "c OK"}),
	"pop3": conversation([]string{"-ERR"},
		step{good: "+OK"}, step{"STLS", "+OK", true}, step{say: "USER {user}", good: "+OK"}, step{say: "PASS {password}", good: "+OK"}),
	"sieve": conversation([]string{"NO", "BYE"},
		step{good: "OK"}, step{"STARTTLS", "OK", true}, step{"", "OK", true}, step{say: `AUTHENTICATE "PLAIN" "{token}"`, good: "OK"}, step{say: "LISTSCRIPTS", good: "OK"}),
	// It stops before the login, which needs the relay.
	"submission": conversation([]string{"4", "5"},
		step{good: "220 "}, step{say: "EHLO pidgeon", good: "250 "}, step{"STARTTLS", "220 ", true}),
	// It goes as far as naming the recipient: with a message, scripts of the operator's
	// could send mail.
	"lmtp": conversation([]string{"4", "5"},
		step{good: "220 "}, step{say: "LHLO pidgeon", good: "250 "}, step{say: "MAIL FROM:<>", good: "250 "}, step{say: "RCPT TO:<{user}>", good: "250 "}),
}

// stranger is turned away, which imap-login logs when he leaves.
var stranger = conversation([]string{"* BYE", "a NO", "a BAD", "b OK", "b BAD"},
	step{good: "* OK"}, step{"a STARTTLS", "a OK", true}, step{say: "b LOGIN " + strangerUser + " x", good: "b NO"})

// conversation goes through steps. An answer that begins with one of the bad ends it.
func conversation(bad []string, steps ...step) func(*dialogue, private) error {
	return func(d *dialogue, p private) error {
		tls := cmp.Or(p.Effective["protocol/"+d.protocol+"/ssl"], p.Effective["ssl"]) != "no" && !(p.OperatorConfig && !p.Effective.HasDefaultCertificate(d.protocol))
		token := base64.StdEncoding.EncodeToString([]byte("\x00" + rehearsalUser + "\x00" + p.password))
		filled := strings.NewReplacer("{user}", rehearsalUser, "{password}", p.password, "{token}", token)
		for _, s := range steps {
			if s.tls && !tls {
				continue
			}
			if err := d.step(filled.Replace(s.say), s.good, bad); err != nil {
				return err
			}
			if s.tls && s.say != "" {
				if err := d.secure(""); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// tryProtocols goes through every protocol that is on, and stops at the first failure.
func (p private) tryProtocols(ctx context.Context) error {
	tried := false
	for _, protocol := range config.Protocols() {
		if !p.Effective.ProtocolOn(protocol.Name) {
			continue
		}
		if err := p.try(ctx, protocol.Name, protocolTests[protocol.Name]); err != nil {
			return fmt.Errorf("%s: %w", protocol.Name, err)
		}
		tried = true
	}
	if tried {
		return nil
	}
	conn, err := dial(ctx, "unix", p.path("base/auth-client")) // a Dovecot for authentication alone
	if err == nil {
		err = conn.Close()
	}
	return err
}

// hasDatabase reports whether users are in a database that may be down. A section of 2.4 may
// name its driver by its own name alone.
func (p private) hasDatabase() bool {
	for name := range p.Effective {
		kind, rest, _ := strings.Cut(name, "/")
		section, _, _ := strings.Cut(rest, "/")
		driver := cmp.Or(p.Effective[kind+"/"+section+"/driver"], section)
		if (kind == "passdb" || kind == "userdb") && (driver == "sql" || driver == "ldap") {
			return true
		}
	}
	return false
}

// databasePatience is how long an answer may take that only a log is waited for with.
const databasePatience = 2 * time.Second

// askDatabases has a user look for who is in none, so that auth connects to each and
// logs what comes of it: the verdict must not depend on who is faster.
func (p private) askDatabases(ctx context.Context) {
	if !p.Effective.ProtocolOn("imap") {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	if p.try(ctx, "imap", stranger) == nil {
		p.awaitLog(ctx, func(log string) bool { return strings.Contains(log, strangerUser) })
	}
}

func (p private) try(ctx context.Context, protocol string, test func(*dialogue, private) error) error {
	conn, err := dial(ctx, "unix", p.path(protocol))
	if err != nil {
		return err
	}
	return p.converse(ctx, conn, protocol, test)
}

// converse closes the connection at the end.
func (p private) converse(ctx context.Context, conn net.Conn, protocol string, test func(*dialogue, private) error) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	d := &dialogue{protocol: protocol, conn: conn, lines: bufio.NewReader(conn)}
	err := test(d, p)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w: %q was expected", cause, d.awaited)
	}
	return err
}

// dial waits for a socket that is about to appear.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := dialer.DialContext(ctx, network, address)
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

type dialogue struct {
	protocol string
	conn     net.Conn
	lines    *bufio.Reader
	awaited  string // the beginning of the answer that is waited for
}

// step says a line, if there is one, and reads lines until one begins with good; one
// that begins with a bad prefix ends the test.
func (d *dialogue) step(say, good string, bad []string) error {
	if say != "" {
		_, _ = d.conn.Write([]byte(say + "\r\n")) // who hung up may have said why
	}
	d.awaited = good
	for {
		line, err := d.lines.ReadString('\n')
		line = strings.TrimSpace(line)
		switch {
		case err != nil:
			return fmt.Errorf("the server hung up while %q was expected: %w", good, err)
		case strings.HasPrefix(line, good):
			return nil
		case slices.ContainsFunc(bad, func(prefix string) bool { return strings.HasPrefix(line, prefix) }):
			return errors.New("the server answered: " + line)
		}
	}
}

// secure goes over to TLS, which shows that key and certificate fit. Who the
// certificate names does not matter here. The server is asked for a name unless it is empty.
func (d *dialogue) secure(name string) error {
	conn := tls.Client(d.conn, &tls.Config{InsecureSkipVerify: true, ServerName: strings.ReplaceAll(name, "*", "x")})
	if err := conn.Handshake(); err != nil {
		return fmt.Errorf("the TLS handshake failed: %w", err)
	}
	d.conn, d.lines = conn, bufio.NewReader(conn)
	return nil
}
