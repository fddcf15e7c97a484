package status

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"pidgeon/sizing"
)

// dir has a path that is short enough for a socket.
func dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestControl(t *testing.T) {
	run := dir(t)
	type live struct{ Ports []int }
	want := Document{
		Version: "1", Dovecot: "2.4.1", Ready: true, Generation: "gen-000001",
		Overrides: []string{"a.conf"}, Listeners: map[string]int{"imap": 143}, Since: time.Unix(1795460000, 0).UTC(),
	}
	text, _ := json.Marshal(live{[]int{143}})
	s := Snapshot{Document: want, Ceilings: []sizing.Ceiling{{Protocol: "imap", Limit: 5}}, Capacity: sizing.Capacity{Sessions: 44, By: "pids.max"}, Live: text}
	want.Container = Container{Limit: 44, By: "pids.max"}

	// What a killed one has left is in nobody's way.
	if stale, err := net.Listen("unix", filepath.Join(run, "control")); err != nil {
		t.Fatal(err)
	} else {
		stale.(*net.UnixListener).SetUnlinkOnClose(false)
		stale.Close()
	}
	stop, err := Listen(run, func() Snapshot { return s })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	if got, err := Ask(t.Context(), run); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	got, err := AskSessions(t.Context(), run)
	if err != nil || len(got.Usage) != 1 || got.Usage[0].Protocol != "imap" || got.Usage[0].Sessions != nil {
		t.Errorf("the sessions are %+v (%v)", got.Usage, err)
	}
	if !strings.Contains(got.Uncounted, "Dovecot does not run yet") {
		t.Errorf("uncounted: %q", got.Uncounted)
	}
	var alive live
	if err := AskLive(t.Context(), run, &alive); err != nil || !reflect.DeepEqual(alive, live{[]int{143}}) {
		t.Errorf("live is %+v (%v)", alive, err)
	}
}

// Nobody else may ask, whatever the umask is.
func TestControlIsClosedToOthers(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	stop, err := Listen(dir, func() Snapshot { return Snapshot{} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if info, err := os.Stat(controlSocket(dir)); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
}

// Clients that say nothing hold up nobody.
func TestControlSilent(t *testing.T) {
	run := dir(t)
	stop, err := Listen(run, func() Snapshot { return Snapshot{} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range 2 * maxClients {
		conn, err := net.Dial("unix", filepath.Join(run, "control"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := Ask(t.Context(), run); err != nil {
		t.Error(err)
	}
}

func TestNobodyToAsk(t *testing.T) {
	_, err := Ask(context.Background(), dir(t))
	if err == nil || !strings.HasPrefix(err.Error(), "asking the running pidgeon: ") {
		t.Errorf("got %v", err)
	}
}

func TestUnhealthy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	d := Document{Ready: true, Listeners: map[string]int{"imap": port}}
	if err := d.Unhealthy(); err != nil {
		t.Error(err)
	}
	l.Close()
	if err := d.Unhealthy(); err == nil || !strings.Contains(err.Error(), "nothing listens for imap") {
		t.Errorf("without a listener: %v", err)
	}
	d.Ready = false
	if err := d.Unhealthy(); err == nil || err.Error() != "not ready: Dovecot does not serve yet" {
		t.Errorf("before it is ready: %v", err)
	}
}
