package status

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"pidgeon/container"
)

func controlSocket(runDir string) string { return filepath.Join(runDir, "control") }

// Listen opens the control socket in runDir, a Unix socket on which it answers the other
// commands over HTTP until stop.
func Listen(runDir string, now func() Snapshot) (stop func(), err error) {
	l, err := container.ListenPrivately(controlSocket(runDir))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	tell := func(path string, what func(Snapshot) any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(what(now())) })
	}
	tell("/document", func(s Snapshot) any { return s.document() })
	tell("/sessions", func(s Snapshot) any { return s.counted() })
	tell("/live", func(s Snapshot) any { return s.Live })
	return Serve([]net.Listener{l}, mux), nil
}

// Ask reads the document of the entrypoint that runs in runDir.
func Ask(ctx context.Context, runDir string) (d Document, err error) {
	err = ask(ctx, runDir, "/document", &d)
	return d, err
}

// AskSessions reads the document with sessions counted, which may take a second, and adds
// the free space of MAIL_DIR and the state of the databases of AUTH.
func AskSessions(ctx context.Context, runDir string) (d Document, err error) {
	err = ask(ctx, runDir, "/sessions", &d)
	d.Mail = d.Mail.Measure()
	return d.ProbeDatabases(ctx).countedEvents(ctx), err
}

// AskLive reads Snapshot.Live into a value.
func AskLive(ctx context.Context, runDir string, into any) error {
	return ask(ctx, runDir, "/live", into)
}

// ask uses no http.Client, which would make the program 0.3 MB larger.
func ask(ctx context.Context, runDir, path string, into any) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", controlSocket(runDir))
	if err != nil {
		return fmt.Errorf("asking the running pidgeon: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: control\r\n\r\n", path); err != nil {
		return fmt.Errorf("asking the running pidgeon: %w", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		err = json.NewDecoder(response.Body).Decode(into)
	}
	if err != nil {
		return fmt.Errorf("reading the answer of the running pidgeon: %w", err)
	}
	return nil
}
