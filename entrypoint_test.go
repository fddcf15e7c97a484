package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets more scripts run at once than there are processors: they wait far
// more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
	os.Exit(m.Run())
}

// dialects are the Dovecots that every script runs against, each in a root file
// system that tools/rootfs.sh makes.
var dialects = []struct{ version, rootfs, countKey, unlimited string }{
	{"2.3", "PIDGEON_ROOTFS_BOOKWORM", "service_count", "0"},
	{"2.4", "PIDGEON_ROOTFS_TRIXIE", "restart_request_count", "unlimited"},
}

// TestEntrypoint drives the built binary as PID 1 of a PID namespace, against
// real Dovecot. Each file in testdata/script is one behaviour; the commands that
// are not testscript's own are in entrypoint_commands_test.go.
func TestEntrypoint(t *testing.T) {
	need(t, "bash", "curl", "mbsync", "nsenter", "openssl", "python3")
	binary := build(t)
	for _, d := range dialects {
		t.Run(d.version, func(t *testing.T) {
			t.Parallel()
			root := os.Getenv(d.rootfs)
			if root == "" {
				gap(t, "%s does not name a root file system with Dovecot %s: run tools/test.sh", d.rootfs, d.version)
			}
			testscript.Run(t, testscript.Params{
				Dir:                "testdata/script",
				WorkdirRoot:        shortTempDir(t),
				RequireUniqueNames: true,
				Cmds:               scriptCommands,
				Condition:          func(name string) (bool, error) { return name == d.version, nil },
				Setup: func(env *testscript.Env) error {
					env.Setenv("DIALECT", d.version)
					env.Setenv("COUNT_KEY", d.countKey)
					env.Setenv("UNLIMITED", d.unlimited)
					return setUp(env, root, binary)
				},
			})
		})
	}
}

// gap skips, except where no gap is allowed.
func gap(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			gap(t, "%s is not installed: run tools/test.sh", tool)
		}
	}
	if os.Geteuid() != 0 {
		gap(t, "only root can enter a root file system: run go test -exec 'sudo -E', as tools/test.sh does")
	}
}

func build(t *testing.T) string {
	t.Helper()
	// A name of its own tells it from any other pidgeon on this machine.
	binary := filepath.Join(shortTempDir(t), "pidgeon-tested")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

// shortTempDir stands in for t.TempDir, whose paths are too long for the sockets
// below RUN_DIR (108 bytes), and which users without rights cannot enter.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// setUp gives a script its server, with directories and ports of its own. The
// paths are the same inside and outside of the root file system.
func setUp(env *testscript.Env, root, binary string) error {
	// What is settled only after a while is looked at longer where time is cheap.
	env.Setenv("AWHILE", "8s")
	if os.Getenv("CI") == "true" {
		env.Setenv("AWHILE", "60s")
	}
	env.Setenv("HOME", os.Getenv("HOME")) // python3 may be found through it
	env.Setenv("PIDGEON", binary)
	s := &server{root: root, work: env.WorkDir, binary: binary, log: newCapture()}
	for name, value := range baseline(env.WorkDir) {
		env.Setenv(name, value)
		s.environ = append(s.environ, name+"="+value)
	}
	s.environ = append(s.environ, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	env.Values[serverKey{}] = s
	env.Values[sessionsKey{}] = map[string][]*session{}
	env.Defer(func() {
		s.kill()
		if t, ok := env.T().(interface{ Failed() bool }); ok && t.Failed() {
			env.T().Log(s.log.tail(60))
		}
	})
	for _, dir := range []string{"overrides", "certs"} {
		if err := os.Mkdir(filepath.Join(env.WorkDir, dir), 0o755); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "users"), testUsers(), 0o644)
}

// baseline is the environment that a server gets unless a script says other.
func baseline(work string) map[string]string {
	env := map[string]string{
		"LISTEN":        "127.0.0.1",
		"USERS_FILE":    work + "/users",
		"OVERRIDES_DIR": work + "/overrides",
		"RUN_DIR":       work + "/run",
		"STATE_DIR":     work + "/state",
		"MAIL_DIR":      work + "/mail",
		"TLS_CERT_PATH": work + "/certs/tls.crt",
		"TLS_KEY_PATH":  work + "/certs/tls.key",
	}
	for _, name := range []string{
		"IMAP_PORT", "IMAPS_PORT", "POP3_PORT", "POP3S_PORT", "LMTP_PORT", "SIEVE_PORT", "SUBMISSION_PORT", "SUBMISSIONS_PORT",
	} {
		env[name] = strconv.Itoa(freePort())
	}
	return env
}

// lastPort begins somewhere else in each run, below the ports that the kernel
// gives to clients.
var lastPort = func() *atomic.Int32 {
	var port atomic.Int32
	port.Store(int32(10000 + os.Getpid()*97%20000))
	return &port
}()

func freePort() int {
	for {
		port := int(lastPort.Add(1))
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
}

// testUsers are user0 to user999 with the password "pass", and alice with
// "secret".
func testUsers() []byte {
	var b strings.Builder
	b.WriteString("alice:secret\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "user%d:pass\n", i)
	}
	return []byte(b.String())
}
