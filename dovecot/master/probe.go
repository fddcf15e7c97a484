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

	"pidgeon/config"
)

// ErrSilent is a listener that took a connection and said nothing for 5 s. The
// machine may be overloaded: nothing is known of the listener.
var ErrSilent = errors.New("it says nothing")

const greetingPatience = 5 * time.Second

// Greets connects to a listener as a client does, and waits for its greeting. It
// sees what a rehearsal, which has no TCP sockets, cannot: what is set for some
// addresses alone. For the time of the greeting it takes a place from a user. A
// listener whose greeting is not known counts as if it had greeted.
func Greets(ctx context.Context, l config.Listener) error {
	want := config.ProtocolNamed(l.Protocol).Greeting
	if want == "" || l.HAProxy {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, greetingPatience)
	defer cancel()
	line, err := greeting(ctx, l)
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

func greeting(ctx context.Context, l config.Listener) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(reachable(l.Addresses), strconv.Itoa(l.Port)))
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

// reachable is an address at which a listener is reached from here.
func reachable(addresses []string) string {
	if len(addresses) == 0 {
		return "127.0.0.1"
	}
	switch addresses[0] {
	case "*", "0.0.0.0":
		return "127.0.0.1"
	case "::":
		return "::1"
	}
	return addresses[0]
}
