package master

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pidgeon/config"
	"pidgeon/lazyregexp"
)

// newSource is a loopback address for probes alone, by which the log tells them from clients.
func newSource() []byte {
	n := rand.Uint32N(1<<24-1<<17) + 1<<16 // not 127.0.*.*, which may be in use
	return fmt.Appendf(nil, "127.%d.%d.%d", byte(n>>16), byte(n>>8), byte(n))
}

// Up to the address nothing in these lines is a client's choice: the first "<" is that of
// a name, which is empty (2.3.19, 2.4.1: client-common.c, lmtp-client.c; the remote end
// closes for submission of 2.3.13).
var probeLine = lazyregexp.New(timestamp + `(?:[\w-]+-login: Info: (?:[^<]*\(no auth attempts in \d+ secs\)[^<]*|Remote closed connection): user=<>, rip=|lmtp\(\d+\): Info: (?:Connect|Disconnect) from )([\d.]+)\b.*`)

// ofProbe reports whether a line is about a successful probe. It makes no garbage of
// others, because each login logs some.
func (p *Process) ofProbe(line []byte) bool {
	if !bytes.Contains(line, p.source) {
		return false
	}
	found := probeLine.FindSubmatch(line)
	return found != nil && bytes.Equal(found[1], p.source) && !bytes.Contains(line, []byte("fail")) && !bytes.Contains(line, []byte("error"))
}

// ErrSilent means that a listener accepted a connection and sent nothing for 5 s, perhaps
// because the machine is overloaded.
var ErrSilent = errors.New("it says nothing")

const (
	greetingPatience = 5 * time.Second
	// maxGreeting is the longest greeting, in bytes; who has taken a port away from Dovecot
	// could fill the memory.
	maxGreeting = 8 << 10
)

// Greets connects to a listener as a client does, and waits for its greeting. It finds faults
// of settings for some addresses, which a rehearsal without TCP sockets cannot. Meanwhile it
// takes a place from a client. A listener whose greeting is not known counts as greeting.
func (p *Process) Greets(ctx context.Context, l config.Listener) error {
	want := config.ProtocolNamed(l.Protocol).Greeting
	if want == "" || l.HAProxy {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, greetingPatience)
	defer cancel()
	line, err := p.greeting(ctx, l)
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

func (p *Process) greeting(ctx context.Context, l config.Listener) (string, error) {
	address := append(slices.Clip(l.Addresses), "*")[0]
	here := map[string]string{"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}[address]
	address = net.JoinHostPort(cmp.Or(here, address), strconv.Itoa(l.Port))
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(string(p.source))}}).DialContext(ctx, "tcp", address)
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.As(err, new(*net.AddrError)) { // for IPv6 it is none
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if l.TLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return bufio.NewReaderSize(io.LimitReader(conn, maxGreeting), 512).ReadString('\n')
}
