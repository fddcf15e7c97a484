package lookup

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fakeAuth greets as auth does and writes what answer returns; nothing ends the connection.
func fakeAuth(t *testing.T, socket string, answer func(request string) string) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var open []net.Conn
	serve := func(conn net.Conn) {
		defer conn.Close()
		fmt.Fprint(conn, "VERSION\t1\t2\nSPID\t7\n")
		for requests := bufio.NewScanner(conn); requests.Scan(); {
			if strings.HasPrefix(requests.Text(), "VERSION\t") {
				continue
			}
			text := answer(requests.Text())
			if _, err := io.WriteString(conn, text); err != nil || !strings.HasSuffix(text, "\n") {
				return
			}
		}
	}
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, conn)
			go serve(conn)
		}
	}()
	return func() {
		l.Close()
		for range accepted {
		}
		for _, conn := range open {
			conn.Close()
		}
	}
}

// lmtp is a client that asks as lmtp does.
type lmtp struct {
	t *testing.T
	net.Conn
	lines *bufio.Reader
}

func newLMTP(t *testing.T) (client lmtp, auth string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pg") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	auth = filepath.Join(dir, "auth")
	socket, err := net.Listen("unix", filepath.Join(dir, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() { defer close(served); Serve(ctx, socket, auth) }()
	conn, err := net.Dial("unix", socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		<-served
		os.RemoveAll(dir)
	})
	return lmtp{t, conn, bufio.NewReader(conn)}, auth
}

func (c lmtp) expect(want string) {
	c.t.Helper()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if line, err := c.lines.ReadString('\n'); line != want {
		c.t.Errorf("got %q (%v), want %q", line, err, want)
	}
}

func (c lmtp) handshake() {
	c.t.Helper()
	c.expect("VERSION\t1\t2\n")
	c.expect("SPID\t7\n")
	fmt.Fprint(c, "VERSION\t1\t0\n")
}

func echo(prefix string) func(string) string {
	return func(request string) string { return prefix + request + "\n" }
}

// A client notices nothing of an auth that is replaced, nor of the moment without one.
func TestReplacedAuth(t *testing.T) {
	client, auth := newLMTP(t)
	stop := fakeAuth(t, auth, echo("first "))
	client.handshake()
	fmt.Fprint(client, "USER\t1\talice\n")
	client.expect("first USER\t1\talice\n")
	stop()
	fmt.Fprint(client, "USER\t2\tbob\n")
	time.Sleep(50 * time.Millisecond)
	fakeAuth(t, auth, echo("second "))
	client.expect("second USER\t2\tbob\n")
	fmt.Fprint(client, "USER\t3\tcarol\nUSER\t4\tdave\n")
	client.expect("second USER\t3\tcarol\n")
	client.expect("second USER\t4\tdave\n")
}

// Half an answer is none: the next auth has the whole.
func TestHalfAnAnswer(t *testing.T) {
	client, auth := newLMTP(t)
	var asked atomic.Int32
	fakeAuth(t, auth, func(request string) string {
		if asked.Add(1) == 1 {
			return "USER\t1\tal"
		}
		return request + "\n"
	})
	client.handshake()
	fmt.Fprint(client, "USER\t1\talice\n")
	client.expect("USER\t1\talice\n")
}

// A request that ends each auth is not asked for ever.
func TestRequestThatEndsAuth(t *testing.T) {
	client, auth := newLMTP(t)
	var asked atomic.Int32
	fakeAuth(t, auth, func(string) string { asked.Add(1); return "" })
	client.handshake()
	fmt.Fprint(client, "USER\t1\talice\n")
	client.expect("")
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// Where auth has gone for good, the client is hung up on.
func TestNoAuth(t *testing.T) {
	client, auth := newLMTP(t)
	stop := fakeAuth(t, auth, echo(""))
	client.handshake()
	stop()
	fmt.Fprint(client, "USER\t1\talice\n")
	client.expect("")
}
