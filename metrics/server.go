package metrics

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// What a client may take of PID 1.
const (
	maxClients = 16
	patience   = 5 * time.Second        // for its request, and for reading the answer
	parting    = 200 * time.Millisecond // for what it sends beside a request
)

// Server answers HTTP requests.
type Server struct {
	// Answer gives the response to GET of a path; false where there is none. It may
	// be called by several clients at once.
	Answer func(path string) (Response, bool)

	clients chan struct{} // a place each
	running sync.WaitGroup

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[net.Conn]bool
	closed    bool
}

// NewServer returns a server that answers to nobody yet.
func NewServer(answer func(path string) (Response, bool)) *Server {
	return &Server{Answer: answer, clients: make(chan struct{}, maxClients), conns: map[net.Conn]bool{}}
}

// Serve answers those who connect to l, in the background, until Close.
func (s *Server) Serve(l net.Listener) {
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	s.running.Go(func() { s.accept(l) })
}

// Close ends all that is under way.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.listeners {
		l.Close()
	}
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors: try again, but not as fast as we can
			time.Sleep(100 * time.Millisecond)
		case !s.take(conn):
			conn.Close() // more than a few are no scrapers
		default:
			s.running.Go(func() {
				defer s.release(conn)
				s.serve(conn)
			})
		}
	}
}

// take gives a connection a place, if there is one.
func (s *Server) take(conn net.Conn) bool {
	select {
	case s.clients <- struct{}{}:
	default:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.clients
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *Server) release(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	<-s.clients
}

// serve answers one request.
func (s *Server) serve(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(patience))
	method, path, refused, err := readRequest(conn)
	if err != nil || write(conn, s.response(method, path, refused), method) != nil {
		return
	}
	// Who closes a connection with something unread in it resets it, and the other
	// side may lose the answer (RFC 9112, 9.6).
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.CloseWrite()
	}
	conn.SetReadDeadline(time.Now().Add(parting))
	_, _ = io.CopyN(io.Discard, conn, 64<<10)
}

func (s *Server) response(method, path string, refused int) Response {
	if refused != 0 {
		return Response{Status: refused}
	}
	if method != "GET" && method != "HEAD" {
		return Response{Status: 405}
	}
	if r, ok := s.Answer(path); ok {
		return r
	}
	return Response{Status: 404}
}
