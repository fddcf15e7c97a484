package metrics

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serving is the address of a server that knows /here and /ill.
func serving(t *testing.T) (s *Server, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = NewServer(func(path string) (Response, bool) {
		switch path {
		case "/here":
			return Response{Status: 200, Type: ContentType, Body: strings.Repeat("up 1\n", 10_000)}, true
		case "/ill":
			return Response{Status: 503, Body: "ill\n"}, true
		}
		return Response{}, false
	})
	s.Serve(l)
	t.Cleanup(s.Close)
	return s, l.Addr().String()
}

// An independent client understands the answers.
func TestServer(t *testing.T) {
	_, address := serving(t)
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for _, tt := range []struct {
		method, path, body string
		status             int
		want, kind         string
	}{
		{"GET", "/here", "", 200, strings.Repeat("up 1\n", 10_000), ContentType},
		{"GET", "/here?a=b", "", 200, strings.Repeat("up 1\n", 10_000), ContentType},
		{"HEAD", "/here", "", 200, "", ContentType},
		{"GET", "/ill", "", 503, "ill\n", "text/plain; charset=utf-8"},
		{"GET", "/", "", 404, "Not Found\n", "text/plain; charset=utf-8"},
		{"POST", "/here", strings.Repeat("x", 1000), 405, "Method Not Allowed\n", "text/plain; charset=utf-8"},
	} {
		request, err := http.NewRequest(tt.method, "http://"+address+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != tt.status || string(body) != tt.want || err != nil || response.Header.Get("Content-Type") != tt.kind {
			t.Errorf("%s %s: %s, %d bytes (%v), %v", tt.method, tt.path, response.Status, len(body), err, response.Header)
		}
		if allow := response.Header.Get("Allow"); (allow == "GET, HEAD") != (tt.status == 405) {
			t.Errorf("%s %s: Allow: %q", tt.method, tt.path, allow)
		}
	}
}

// raw sends bytes and returns the first line of the answer.
func raw(t *testing.T, address string, sent []byte) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go conn.Write(sent)
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

func TestBadRequests(t *testing.T) {
	_, address := serving(t)
	for _, tt := range []struct{ name, sent, want string }{
		{"old", "GET /ill HTTP/1.0\n\n", "HTTP/1.1 503 Service Unavailable"},
		{"no version", "GET /here\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"nothing", "\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"another protocol", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"too new", "PRI * HTTP/2.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"},
		{"bytes", "\x00\xff \x01 \n\n", "HTTP/1.1 400 Bad Request"},
		{"a huge line", strings.Repeat("x", 1<<20), "HTTP/1.1 431 Request Header Fields Too Large"},
		{"huge headers", "GET /here HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 1<<17), "HTTP/1.1 431 Request Header Fields Too Large"},
	} {
		if got := raw(t, address, []byte(tt.sent)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Those who say nothing take the places there are, not more, and give them back.
func TestSilentClients(t *testing.T) {
	s, address := serving(t)
	var silent []net.Conn
	for range 3 * maxClients {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	if got := raw(t, address, []byte("GET /ill HTTP/1.1\r\n\r\n")); got != "" {
		t.Errorf("got %q though all places are taken", got)
	}
	if n := len(s.clients); n != maxClients {
		t.Errorf("%d places are taken, there are %d", n, maxClients)
	}
	for _, conn := range silent {
		conn.Close()
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if got := raw(t, address, []byte("GET /ill HTTP/1.1\r\n\r\n")); got != "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the places are not given back")
		}
	}
}

// Close does not wait for those who say nothing.
func TestClose(t *testing.T) {
	s, address := serving(t)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /he")
	s.Close()
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Error("the connection lives on")
	}
}

// What net/http understands is understood alike.
func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("HEAD / HTTP/1.0\n\n"))
	f.Add([]byte("\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		method, path, refused, err := readRequest(bytes.NewReader(sent))
		want, wrong := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
		if wrong != nil || want.ProtoMajor != 1 || len(sent) >= maxRequest {
			return
		}
		if uri, _, _ := strings.Cut(want.RequestURI, "?"); err != nil || refused != 0 || method != want.Method || path != uri {
			t.Errorf("%q: got %q %q %d (%v), want %q %q", sent, method, path, refused, err, want.Method, uri)
		}
	})
}
