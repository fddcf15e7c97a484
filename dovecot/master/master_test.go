package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pidgeon/tests/pidgeontest"
)

// log keeps what a master writes.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// servers are configurations of a Dovecot that only listens where it is told to.
var servers = map[string]string{
	"2.3": `base_dir = /run/base
state_dir = /run/state
log_path = /dev/stderr
protocols = imap
ssl = no
listen = 127.0.0.1
shutdown_clients = no
`,
	"2.4": `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = /run/base
state_dir = /run/state
log_path = /dev/stderr
protocols {
  imap = yes
}
ssl = no
listen = 127.0.0.1
shutdown_clients = no
`,
}

// server is a configuration with one port for IMAP.
func server(dialect string, port int) string {
	return fmt.Sprintf("%sservice imap-login {\n  inet_listener imap {\n    port = %d\n  }\n  inet_listener imaps {\n    port = 0\n  }\n}\n", servers[dialect], port)
}

// play is a real master with its configuration in dir.
type play struct {
	*Process
	dir string
	hup func() error
}

// configure writes what the next reload reads.
func (p play) configure(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "dovecot.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start starts Dovecot as PID 1 of a PID namespace: what it leaves behind goes
// with it.
func start(t *testing.T, dialect, root string) play {
	t.Helper()
	p, said := play{dir: pidgeontest.ShortTempDir(t)}, &log{}
	p.configure(t, server(dialect, 0))
	cmd := pidgeontest.Command(root, []string{p.dir}, "/usr/sbin/dovecot", "-F", "-c", filepath.Join(p.dir, "dovecot.conf"))
	m, err := New(cmd, dialect, Silent(root+"/usr/sbin/dovecot"), p.dir, said)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.Started(cmd.Process.Pid)
	p.Process, p.hup = m, func() error { return cmd.Process.Signal(syscall.SIGHUP) }
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		ended := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		ended.Stop()
		m.Close()
		if t.Failed() {
			t.Logf("Dovecot said:\n%s", said)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), pidgeontest.Patience)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// refusedBy is why a reload was refused.
func refusedBy(t *testing.T, err error) *Refused {
	t.Helper()
	var refused *Refused
	if !errors.As(err, &refused) {
		t.Fatalf("got %v (%T), want *Refused", err, err)
	}
	return refused
}

// freePort is one that nobody listens on at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestReload(t *testing.T) {
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		p := start(t, dialect, root)
		port := freePort(t)
		p.configure(t, server(dialect, port))
		if err := p.Reload(t.Context(), p.hup); err != nil {
			t.Fatalf("a good change: %v", err)
		}
		if ports, err := listening(); err != nil || !ports[port] {
			t.Errorf("the reload is confirmed, and nobody listens on %d (%v)", port, err)
		}

		// Dovecot itself tells the reason in its log only, in a line of config.
		p.configure(t, server(dialect, port)+"bogus = 1\n")
		refused := refusedBy(t, p.Reload(t.Context(), p.hup))
		if refused.Partial || len(refused.Complaints) == 0 {
			t.Errorf("a bad change: partial %t, %v", refused.Partial, refused)
		}
		if ports, err := listening(); err != nil || !ports[port] {
			t.Errorf("after a refused reload nobody listens on %d (%v)", port, err)
		}

		// For 2 s it refuses all others as well: config is throttled.
		p.configure(t, server(dialect, port))
		waitFor(t, func() bool {
			time.Sleep(200 * time.Millisecond)
			return p.Reload(t.Context(), p.hup) == nil
		})
	})
}

// A port that somebody else has is reported, and the rest is in force.
func TestReloadInPart(t *testing.T) {
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		p := start(t, dialect, root)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		p.configure(t, server(dialect, port))
		refused := refusedBy(t, p.Reload(t.Context(), p.hup))
		if want := fmt.Sprintf("listen(127.0.0.1, %d) failed: Address already in use", port); !refused.Partial || !strings.Contains(refused.Error(), want) {
			t.Errorf("partial %t, %v", refused.Partial, refused)
		}
	})
}

// actor is a master played by the test: a process that does nothing, and
// notifications that the test sends.
func actor(t *testing.T) (m *Process, notify func(string), said *log) {
	t.Helper()
	dir := t.TempDir()
	said = &log{}
	m, err := New(exec.Command("/bin/sleep"), "2.4", false, dir, said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.pid = os.Getpid() // it has no child that is called log
	conn, err := net.Dial("unixgram", filepath.Join(dir, "notify"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return m, func(state string) {
		if _, err := conn.Write([]byte(state)); err != nil {
			t.Error(err)
		}
	}, said
}

// READY=1 alone proves nothing: it follows a refused reload too.
func TestReloadWithoutAWord(t *testing.T) {
	m, notify, _ := actor(t)
	err := m.Reload(t.Context(), func() error {
		notify("RELOADING=1\nMONOTONIC_USEC=5\n")
		notify("READY=1\nSTATUS=x")
		return nil
	})
	if refused := refusedBy(t, err); refused.Partial || refused.Error() != "Dovecot refused the reload without a word" {
		t.Errorf("partial %t, %v", refused.Partial, refused)
	}
}

// What was said before the reload is no reason for it.
func TestReloadMindsTheTime(t *testing.T) {
	m, notify, said := actor(t)
	stderr := m.stderr
	fmt.Fprintln(stderr, "Nov 23 15:20:48 master: Error: old")
	waitFor(t, func() bool { return strings.Contains(said.String(), "old") })
	err := m.Reload(t.Context(), func() error {
		fmt.Fprintln(stderr, "Nov 23 15:20:49 imap-login: Error: not the master's")
		fmt.Fprintln(stderr, "Nov 23 15:20:49 master: Error: new")
		notify("RELOADING=1")
		notify("READY=1")
		return nil
	})
	if refused := refusedBy(t, err); !slices.Equal(refused.Complaints, []string{"new"}) {
		t.Errorf("complaints %q, want that of this reload", refused.Complaints)
	}
}

// What is said of a process that ended says nothing of the reload.
func TestReloadWhileProcessesEnd(t *testing.T) {
	m, notify, said := actor(t)
	stderr := m.stderr
	err := m.Reload(t.Context(), func() error {
		fmt.Fprintln(stderr, "Nov 23 20:01:46 master: Error: service(imap-login): child 372 returned error 89 (Fatal failure)")
		fmt.Fprintln(stderr, "Nov 23 20:01:46 master: Error: service(imap-login): service(imap-login): child 373 returned error 89 (Fatal failure)")
		waitFor(t, func() bool { return strings.Contains(said.String(), "373") })
		notify("RELOADING=1")
		notify("READY=1")
		return nil
	})
	if refused := refusedBy(t, err); len(refused.Complaints) > 0 {
		t.Errorf("complaints %q", refused.Complaints)
	}
}

// Whoever stops Dovecot asks again whether it hears signals.
func TestReadyAgain(t *testing.T) {
	m, notify, _ := actor(t)
	notify("READY=1")
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), pidgeontest.Patience)
		defer cancel()
		if err := m.Ready(ctx); err != nil {
			t.Error(err)
		}
	}
}

// Reloads that somebody else asked for are not taken for ours.
func TestReloadAfterOthers(t *testing.T) {
	m, notify, _ := actor(t)
	for range cap(m.states) / 2 {
		notify("RELOADING=1")
		notify("READY=1")
	}
	waitFor(t, func() bool { return len(m.states) == cap(m.states) })
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no time"))
	defer cancel()
	err := m.Reload(ctx, func() error { return nil })
	if err == nil || err.Error() != "waiting for Dovecot to say RELOADING=1: no time" {
		t.Errorf("got %v", err)
	}
}

func TestReloadCannotBeAsked(t *testing.T) {
	m, notify, _ := actor(t)
	err := m.Reload(t.Context(), func() error { return syscall.ESRCH })
	if err == nil || err.Error() != "signalling Dovecot: no such process" {
		t.Errorf("no process: %v", err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no time"))
	defer cancel()
	notify("READY=1") // of an earlier one
	err = m.Reload(ctx, func() error { return nil })
	if err == nil || err.Error() != "waiting for Dovecot to say RELOADING=1: no time" {
		t.Errorf("no answer: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for want, refused := range map[string]Refused{
		"Dovecot refused the reload without a word":       {},
		"Dovecot refused the reload: a; b":                {Complaints: []string{"a", "b"}},
		"Dovecot carried the reload out in part: a":       {Complaints: []string{"a"}, Partial: true},
		"Dovecot carried the reload out in part: bind: x": {Complaints: []string{"bind: x"}, Partial: true},
	} {
		if got := refused.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited 10 s in vain")
		}
	}
}

// Dovecot's own lines pass as they are, long ones, odd ones and the last included,
// and nothing stays behind.
func TestMasterLog(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	want := "one\n\xff\x00 two\r\n\n" + strings.Repeat("x", 200_000) + "\nno line end"
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &log{}
	cmd := exec.Command("cat", file)
	m, err := New(cmd, "2.4", false, t.TempDir(), slow{said})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.Started(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	m.Close()
	want += "\n" // what is said next begins a line
	if got := said.String(); got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

// slow is a log that takes its time, as on a busy machine.
type slow struct{ io.Writer }

func (s slow) Write(line []byte) (int, error) {
	time.Sleep(150 * time.Millisecond)
	return s.Writer.Write(line)
}

// A session that outlives the master keeps its standard error open; that must
// not hold up the end.
func TestMasterCloseDoesNotWaitForOrphans(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & echo $! >&2")
	m, err := New(cmd, "2.4", false, t.TempDir(), &log{})
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	m.Started(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	m.Close()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// A socket that a killed container left behind is in nobody's way.
func TestNewStaleSocket(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		m, err := New(exec.Command("/bin/true"), "2.4", false, dir, &log{})
		if err != nil {
			t.Fatal(err)
		}
		m.Close() // the socket stays: the kernel does not remove it
	}
}

// The same holds for what it says of a process that died; who served a session was
// nobody else's.
func TestDied(t *testing.T) {
	m, _, _ := actor(t)
	for _, line := range []string{
		"Nov 25 00:31:06 imap: Fatal: master: service(imap): child 37 killed with signal 9",
		"Nov 25 00:31:06 auth: Info: static(x anvil: Fatal: master: service(anvil): child 37 killed with signal 9,127.0.0.1): unknown",
		"Nov 25 00:31:06 imap(anvil: Fatal: master: service(anvil): child 37 killed with signal 9)<7><x>: Info: Logged out",
		"Nov 25 00:31:06 anvil: Fatal: master: service(anvil): child 37 killed with signal 9",
		"Nov 25 00:31:39 auth: Fatal: master: service(auth): child 147 killed with signal 11 (core dumps disabled)",
		"Nov 25 00:31:46 master: Error: service(log): child 212 killed with signal 9",
		"Nov 25 00:32:39 master: Error: service(stats): service(stats): child 36 killed with signal 9",
		"Nov 25 00:32:40 imap-login: Fatal: master: service(imap-login): child 372 returned error 89 (Fatal failure)",
		"2026-11-25 00:32:41 config: Error: master: service(config): command startup failed, throttling for 2.000 secs",
	} {
		fmt.Fprintln(m.stderr, line)
	}
	for _, want := range []string{"anvil", "auth", "log", "stats", "imap-login", "config"} {
		select {
		case got := <-m.ServiceDied():
			if got != want {
				t.Errorf("%s died, want %s", got, want)
			}
		case <-time.After(pidgeontest.Patience):
			t.Fatalf("nothing died, want %s", want)
		}
	}
}

// A complaint is the master's if it begins its line: other processes log what users
// say.
func TestMasterComplains(t *testing.T) {
	for line, want := range map[string]bool{
		"Nov 23 15:20:48 master: Error: x":                                               true,
		"Nov  3 15:20:48 master: Panic: x":                                               true,
		"master: Fatal: x":                                                               true,
		"2026-11-23 15:20:48 master: Error: x":                                           true,
		"2026-11-23T15:20:48.123+01:00 master: Error: x":                                 true,
		"Nov 23 15:20:48 master: Warning: x":                                             false,
		"Nov 23 15:20:48 auth: Info: static(x master: Error: boo,127.0.0.1): unknown":    false,
		"Nov 23 15:20:48 imap-login: Info: Aborted: user=<master: Error: boo>":           false,
		"Nov 23 15:20:48 imap(1 master: Error: boo)<7><x>: Info: Logged out":             false,
		"2026-11-23 15:20:48 imap-login: Info: Aborted: user=<1 master: Error: boo>":     false,
		"Nov 23 15:20:48 webmaster: Error: x":                                            false,
		"Nov 23 15:20:48 auth: Error: Nov 23 15:20:48 master: Error: what a script said": false,
	} {
		if got := masterComplains.MatchString(line); got != want {
			t.Errorf("%s: %t", line, got)
		}
	}
}
