package master

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// greetings are how servers of the protocols begin.
var greetings = map[string]string{"imap": "* OK", "pop3": "+OK", "sieve": `"`, "submission": "220 ", "lmtp": "220 "}

// ErrSilent is a listener that took a connection and said nothing for 5 s. The
// machine may be overloaded: nothing is known of the listener.
var ErrSilent = errors.New("it says nothing")

const greetingPatience = 5 * time.Second

// Listener is a TCP socket that Dovecot was told to listen on. A dovecot.Listener
// converts to it.
type Listener struct {
	Name      string
	Protocol  string
	Port      int
	Addresses []string // IP addresses; * is all of IPv4
	TLS       bool     // from the first byte on
	HAProxy   bool     // a proxy that speaks HAProxy's protocol comes first
}

// Greets connects to a listener as a client does, and waits for its greeting. It
// sees what a rehearsal, which has no TCP sockets, cannot: what is set for some
// addresses alone. For the time of the greeting it takes a place from a user. What
// has no greeting that is known counts as if it had greeted.
func (l Listener) Greets(ctx context.Context) error {
	want, known := greetings[l.Protocol]
	if !known || l.HAProxy {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, greetingPatience)
	defer cancel()
	line, err := l.greeting(ctx)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s on port %d: %w", l.Name, l.Port, ErrSilent)
	case err != nil:
		return fmt.Errorf("%s on port %d does not greet: %w", l.Name, l.Port, err)
	case !strings.HasPrefix(line, want):
		return fmt.Errorf("%s on port %d greets with %q", l.Name, l.Port, strings.TrimSpace(line))
	}
	return nil
}

func (l Listener) greeting(ctx context.Context) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(l.host(), strconv.Itoa(l.Port)))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if l.TLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return bufio.NewReaderSize(conn, 512).ReadString('\n')
}

// host is an address at which the listener is reached from here.
func (l Listener) host() string {
	for _, address := range l.Addresses {
		switch address {
		case "*", "0.0.0.0":
			return "127.0.0.1"
		case "::":
			return "::1"
		default:
			return address
		}
	}
	return "127.0.0.1"
}
