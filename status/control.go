package status

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
	"time"
)

// Control answers each connection to a Unix socket with what the line that it is
// sent asks for.
type Control struct {
	now      func() Snapshot
	listener net.Listener
	done     chan struct{}
}

// The lines that a Control knows. Sessions are counted on request only, because a
// health probe must not wait for an anvil that hangs.
const (
	askDocument = "state\n"
	askSessions = "sessions\n" // the document with them
	askLive     = "live\n"
)

func controlSocket(runDir string) string { return filepath.Join(runDir, "control") }

// Listen opens the control socket in runDir and answers until Close.
func Listen(runDir string, now func() Snapshot) (*Control, error) {
	path := controlSocket(runDir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a stale control socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	c := &Control{now: now, listener: listener, done: make(chan struct{})}
	go c.serve()
	return c, nil
}

// Close removes the socket, and waits for the answer that is being given.
func (c *Control) Close() {
	c.listener.Close()
	<-c.done
}

func (c *Control) serve() {
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

func (c *Control) answer(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	request, _ := bufio.NewReaderSize(conn, 16).ReadSlice('\n')
	var answer any
	switch now := c.now(); string(request) {
	case askLive:
		answer = now.Live
	case askSessions:
		answer = now.counted(context.Background())
		conn.SetDeadline(time.Now().Add(time.Second))
	default:
		answer = now.document()
	}
	_ = json.NewEncoder(conn).Encode(answer)
}

// Ask reads the document of the entrypoint that runs in runDir.
func Ask(ctx context.Context, runDir string) (d Document, err error) {
	err = ask(ctx, runDir, askDocument, &d)
	return d, err
}

// AskSessions has the sessions counted too.
func AskSessions(ctx context.Context, runDir string) (d Document, err error) {
	err = ask(ctx, runDir, askSessions, &d)
	return d, err
}

// AskLive reads Snapshot.Live into a value.
func AskLive(ctx context.Context, runDir string, into any) error {
	return ask(ctx, runDir, askLive, into)
}

func ask(ctx context.Context, runDir, request string, into any) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", controlSocket(runDir))
	if err != nil {
		return fmt.Errorf("asking the running pidgeon: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		return fmt.Errorf("asking the running pidgeon: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of the running pidgeon: %w", err)
	}
	return nil
}
