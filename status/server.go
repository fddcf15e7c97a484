package status

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	maxClients = 16              // connections that are served at once
	maxRequest = 8 << 10         // bytes, headers included; Prometheus sends about 300
	patience   = 5 * time.Second // for a request, and for reading the answer
)

// Serve answers HTTP requests until stop is called, which closes the listeners and
// all connections. It never has more than maxClients of them: the oldest that has not sent a
// whole request gives way. Complaints of net/http go to slog's default logger at level debug,
// because clients can cause any number of them.
func Serve(listeners []net.Listener, handler http.Handler) (stop func()) {
	c := &clients{}
	c.fewer.L = &c.mu
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Body != http.NoBody { // which no known request has, so it is not waited for
				_ = http.NewResponseController(w).SetReadDeadline(time.Now())
			}
			handler.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: patience,
		ReadTimeout:       patience,
		WriteTimeout:      patience,
		MaxHeaderBytes:    maxRequest - 4<<10, // net/http reads 4 KiB more than it is told
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
		ConnState:         c.changed,
	}
	// Each request has its own connection, because an answer fits into the buffer of a
	// socket: a client that does not read cannot hold up the server.
	server.SetKeepAlivesEnabled(false)
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() { _ = server.Serve(listener{l, c}) })
	}
	return func() {
		c.close()
		server.Close()
		serving.Wait()
		c.running.Wait()
	}
}

// listener admits clients. It goes on after errors, because net/http gives up on ENOBUFS and
// ENOMEM, which accept(2) returns in a container that is out of memory.
type listener struct {
	net.Listener
	clients *clients
}

func (l listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			return l.clients.admit(conn), nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// clients are the open connections. A new one replaces the oldest that has not sent a whole
// request, or waits if there is none.
type clients struct {
	running sync.WaitGroup // their goroutines
	mu      sync.Mutex
	fewer   sync.Cond
	all     []*client // oldest first
	closed  bool
}

type client struct {
	net.Conn
	asked bool // it has sent a whole request
}

// admit waits until there is room for a connection.
func (c *clients) admit(conn net.Conn) *client {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && len(c.all) >= maxClients {
		if i := slices.IndexFunc(c.all, func(of *client) bool { return !of.asked }); i >= 0 {
			c.all[i].Close()
		}
		c.fewer.Wait()
	}
	if c.closed {
		conn.Close() // net/http would not, and its goroutine would wait for a request
	}
	admitted := &client{Conn: conn}
	c.all = append(c.all, admitted)
	c.running.Add(1)
	return admitted
}

// changed is http.Server.ConnState. A connection becomes active when its request has
// come to an end.
func (c *clients) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.all, conn.(*client))
	switch state {
	case http.StateActive:
		c.all[i].asked = true
	case http.StateClosed:
		c.all = slices.Delete(c.all, i, i+1)
		c.fewer.Broadcast() // each listener may wait
		c.running.Done()
	}
}

// close closes all connections, and later ones when they are admitted.
func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, of := range c.all {
		of.Close()
	}
	c.fewer.Broadcast()
}
