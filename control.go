package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"pidgeon/occupancy"
)

// state is what the running entrypoint tells about itself, as JSON over its
// control socket.
type state struct {
	Version    string         `json:"version"`
	Dovecot    string         `json:"dovecot"`
	Ready      bool           `json:"ready"`    // Dovecot has said that it serves
	Degraded   bool           `json:"degraded"` // it serves something else than what was asked for last
	Generation string         `json:"generation"`
	Overrides  []string       `json:"overrides"`
	Refused    []string       `json:"refused,omitempty"` // why the last change is not in force
	Listeners  map[string]int `json:"listeners"`
	Since      time.Time      `json:"since"`

	// CertificateExpires is zero with TLS=no.
	CertificateExpires time.Time `json:"certificate_expires,omitzero"`

	Reloads    reloads   `json:"reloads"`
	LastReload time.Time `json:"last_reload"` // or start

	Usage     []occupancy.Usage `json:"sessions,omitempty"`  // as counted for whoever asks
	Uncounted string            `json:"uncounted,omitempty"` // why, if they could not be
	Room      occupancy.Room    `json:"container,omitzero"`

	ceilings []occupancy.Ceiling
	census   census
}

// reloads are how many were carried out, and how many changes were not.
type reloads struct {
	Loaded  int `json:"loaded"`
	Refused int `json:"refused"`
}

// counted is the state with the sessions of this moment.
func (s state) counted(ctx context.Context) state {
	var err error
	if s.Usage, err = s.census.count(ctx, s.ceilings); err != nil {
		s.Uncounted = err.Error()
	}
	return s
}

// control answers each connection to a Unix socket with the current state, and
// counts sessions for it if the line it is sent says so: health would not want to
// wait for that.
type control struct {
	now      atomic.Pointer[state]
	listener net.Listener
	done     chan struct{}
}

func controlSocket(runDir string) string { return filepath.Join(runDir, "control") }

func listenControl(runDir string) (*control, error) {
	path := controlSocket(runDir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a stale control socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	c := &control{listener: listener, done: make(chan struct{})}
	c.now.Store(&state{})
	go c.serve()
	return c, nil
}

func (c *control) set(s state) { c.now.Store(&s) }

func (c *control) serve() {
	defer close(c.done)
	for {
		conn, err := c.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: try again, but not as fast as we can
			time.Sleep(100 * time.Millisecond)
			continue
		}
		c.answer(conn)
	}
}

// What the control socket can be asked for.
const (
	theState    = "state\n"
	theSessions = "sessions\n" // the state with them
)

func (c *control) answer(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	request, _ := bufio.NewReaderSize(conn, 16).ReadSlice('\n')
	now := *c.now.Load()
	if string(request) == theSessions {
		now = now.counted(context.Background())
		conn.SetDeadline(time.Now().Add(time.Second))
	}
	_ = json.NewEncoder(conn).Encode(now)
}

func (c *control) close() {
	c.listener.Close()
	<-c.done
}

// ask reads the state of the entrypoint that runs in runDir.
func ask(ctx context.Context, runDir, request string) (state, error) {
	var s state
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", controlSocket(runDir))
	if err != nil {
		return s, fmt.Errorf("asking the running pidgeon: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		return s, fmt.Errorf("asking the running pidgeon: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(&s); err != nil {
		return s, fmt.Errorf("reading the answer of the running pidgeon: %w", err)
	}
	return s, nil
}
