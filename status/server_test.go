package status

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// asking are pages of which one always answers, and the others as work allows.
func asking(work func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /", func(http.ResponseWriter, *http.Request) { work() })
	return mux
}

// served is the address of such pages, with the means to stop them.
func served(t *testing.T, work func()) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop = Serve([]net.Listener{l}, asking(work))
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func atOnce() {}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// firstLine is that of the answer to what is sent, or what became of it.
func firstLine(t *testing.T, address, sent string) string {
	t.Helper()
	conn := connect(t, address)
	go io.WriteString(conn, sent)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return line + err.Error()
	}
	return strings.TrimSpace(line)
}

const healthz = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

func healthy(t *testing.T, address string) {
	t.Helper()
	if got := firstLine(t, address, healthz); got != "HTTP/1.1 200 OK" {
		t.Errorf("/healthz answers %q", got)
	}
}

func TestBadRequests(t *testing.T) {
	address, _ := served(t, atOnce)
	for _, tt := range []struct{ name, sent, want string }{
		{"old", "GET /healthz HTTP/1.0\n\n", "HTTP/1.0 200 OK"},
		{"no version", "GET /healthz\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"nothing", "\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"another protocol", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"too new", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"},
		{"bytes", "\x00\xff \x01 \n\n", "HTTP/1.1 400 Bad Request"},
		{"a huge line", strings.Repeat("x", 1<<20), "HTTP/1.1 431 Request Header Fields Too Large"},
		{"huge headers", "GET /healthz HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 1<<17), "HTTP/1.1 431 Request Header Fields Too Large"},
	} {
		if got := firstLine(t, address, tt.sent); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// However many clients do not come to the end of a request, those that do are
// answered.
func TestSilentClients(t *testing.T) {
	for name, sent := range map[string]string{
		"silent":          "",
		"in the headers":  "GET /healthz HTTP/1.1\r\nX: ",
		"in the body":     "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
		"in a GET's body": "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
		"huge":            strings.Repeat("x", 64<<10),
	} {
		t.Run(name, func(t *testing.T) {
			address, stop := served(t, atOnce)
			for range 24 {
				conn := connect(t, address)
				go io.WriteString(conn, sent)
			}
			for range 3 {
				healthy(t, address)
			}
			start := time.Now()
			if stop(); time.Since(start) > time.Second { // net/http sleeps for half of it after a refusal
				t.Errorf("to stop took %s", time.Since(start))
			}
		})
	}
}

// A client whose request is being answered does not give way to others.
func TestBusyClients(t *testing.T) {
	asked, answer := make(chan struct{}, 64), make(chan struct{})
	address, _ := served(t, func() {
		asked <- struct{}{}
		<-answer
	})
	lines := make(chan string, maxClients)
	for range maxClients {
		go func() { lines <- firstLine(t, address, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n") }()
		<-asked
	}
	waiting := make(chan string)
	go func() { waiting <- firstLine(t, address, healthz) }()
	select {
	case got := <-waiting:
		t.Errorf("one client too many gets %q", got)
	case <-time.After(50 * time.Millisecond):
	}
	close(answer)
	for range maxClients {
		if got := <-lines; got != "HTTP/1.1 200 OK" {
			t.Errorf("a client that was there first gets %q", got)
		}
	}
	if got := <-waiting; got != "HTTP/1.1 200 OK" {
		t.Errorf("the client that waited gets %q", got)
	}
}

// A panic is one client's alone.
func TestPanic(t *testing.T) {
	address, _ := served(t, func() { panic("a bug") })
	for range 2 * maxClients {
		if got := firstLine(t, address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); got != "EOF" {
			t.Errorf("got %q", got)
		}
	}
	healthy(t, address)
}

// Stop does not wait for clients that say nothing.
func TestStop(t *testing.T) {
	address, stop := served(t, atOnce)
	conn := connect(t, address)
	fmt.Fprint(conn, "GET /he")
	stop()
	if n, err := conn.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Error("the connection lives on")
	}
}

// A flood of clients takes no more goroutines, and so no more memory, than there is
// room for.
func TestFlood(t *testing.T) {
	address, _ := served(t, atOnce)
	before, most := runtime.NumGoroutine(), 0
	for range 500 {
		io.WriteString(connect(t, address), "GET /metrics HTTP/1.1\r\n")
		most = max(most, runtime.NumGoroutine()-before)
	}
	if healthy(t, address); most > maxClients+2 {
		t.Errorf("%d goroutines more, want at most %d", most, maxClients)
	}
}

// exhausted is a listener on which accept fails now and then.
type exhausted struct {
	net.Listener
	failures *atomic.Int32
}

func (e exhausted) Accept() (net.Conn, error) {
	if e.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.ENOBUFS}
	}
	return e.Listener.Accept()
}

func TestAcceptFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failures := &atomic.Int32{}
	failures.Store(2)
	defer Serve([]net.Listener{exhausted{l, failures}}, asking(atOnce))()
	healthy(t, l.Addr().String())
}
