package torture

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that takes milliseconds on an idle
// machine.
const patience = 20 * time.Second

var binaryFlag = flag.String("binary", "", "the pidgeon to torture; built from the clone if empty")

// dialects are the Dovecots that everything is done to, each in a root file
// system that tools/rootfs.sh makes.
var dialects = []struct{ version, rootfs string }{
	{"2.3", "PIDGEON_ROOTFS_BOOKWORM"},
	{"2.4", "PIDGEON_ROOTFS_TRIXIE"},
}

// onEach runs a test on both dialects, one after the other: two servers at once
// would blame each other's load.
func onEach(t *testing.T, test func(t *testing.T, dialect, root string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		gap(t, "only root can enter a root file system: run go test -exec 'sudo -E', as tools/test.sh does")
	}
	for _, d := range dialects {
		t.Run(d.version, func(t *testing.T) {
			root := os.Getenv(d.rootfs)
			if root == "" {
				gap(t, "%s does not name a root file system with Dovecot %s: run tools/test.sh", d.rootfs, d.version)
			}
			test(t, d.version, root)
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

var built = sync.OnceValues(func() (string, error) {
	if *binaryFlag != "" {
		return *binaryFlag, nil
	}
	dir, err := os.MkdirTemp("/tmp", "pt")
	if err != nil {
		return "", err
	}
	// A name of its own tells it from any other pidgeon on this machine.
	binary := filepath.Join(dir, "pidgeon-tortured")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return binary, os.Chmod(dir, 0o755)
})

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if binary, err := built(); err == nil && *binaryFlag == "" {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// server is one pidgeon as PID 1 inside a root file system, with directories and
// ports of its own. Its paths are the same inside and outside.
type server struct {
	dialect, root, work, binary string
	environ                     map[string]string
	user                        string // UID:GID; empty for root
	before                      string // a shell command for inside, before pidgeon
	log                         *capture

	cmd   *exec.Cmd
	ended chan struct{}
}

func newServer(t *testing.T, dialect, root string) *server {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	work := shortTempDir(t)
	s := &server{dialect: dialect, root: root, work: work, binary: binary, log: newCapture(), environ: map[string]string{
		"PATH":          work + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LISTEN":        "127.0.0.1",
		"USERS_FILE":    work + "/users",
		"OVERRIDES_DIR": work + "/overrides",
		"RUN_DIR":       work + "/run",
		"STATE_DIR":     work + "/state",
		"MAIL_DIR":      work + "/mail",
		"TLS_CERT_PATH": work + "/certs/tls.crt",
		"TLS_KEY_PATH":  work + "/certs/tls.key",
		"IMAP_PORT":     freePort(),
		"IMAPS_PORT":    freePort(),
		"LMTP_PORT":     freePort(),
	}}
	for _, dir := range []string{"overrides", "certs", "bin", "refs"} {
		if err := os.Mkdir(filepath.Join(work, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, s.path("users"), testUsers())
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Log(s.log.tail(40))
		}
	})
	return s
}

func (s *server) path(names ...string) string {
	return filepath.Join(append([]string{s.work}, names...)...)
}

// override writes an override as a careful editor does: aside, then renamed.
func (s *server) override(t testing.TB, name, text string) {
	t.Helper()
	write(t, s.path("."+name), text)
	if err := os.Rename(s.path("."+name), s.path("overrides", name)); err != nil {
		t.Fatal(err)
	}
}

func (s *server) port() string { return s.environ["IMAPS_PORT"] }

// command enters new PID and mount namespaces with the root file system.
func (s *server) command(args ...string) *exec.Cmd {
	inside := []string{s.root, s.work, s.binary, "--"}
	if s.before != "" {
		inside = append(inside, "bash", "-ec", s.before+` && exec "$@"`, "bash")
	}
	if uid, gid, ok := strings.Cut(s.user, ":"); ok {
		inside = append(inside, "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--")
	}
	cmd := exec.Command("../tools/in-rootfs.sh", append(append(inside, s.binary), args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	for name, value := range s.environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// start starts the entrypoint in the background.
func (s *server) start(t testing.TB) {
	t.Helper()
	s.log.mark()
	cmd := s.command()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	s.cmd, s.ended = cmd, ended
}

// startServing starts it and waits until it says that it serves.
func (s *server) startServing(t testing.TB) {
	t.Helper()
	s.start(t)
	if !s.log.await("msg=started", patience) {
		t.Fatalf("not started within %v: %s", patience, s.log.tail(20))
	}
}

func (s *server) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

func (s *server) signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

// exit waits for the end and returns the code, 128+n for a signal.
func (s *server) exit(t testing.TB, limit time.Duration) int {
	t.Helper()
	if !within(limit, s.over) {
		t.Fatalf("not ended within %v", limit)
	}
	status := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// process is one process of the server's PID namespace.
type process struct {
	pid, parent int
	name, state string
}

// processes lists the namespace, PID 1 first.
func (s *server) processes() []process {
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.cmd.Process.Pid))
	if err != nil {
		return nil
	}
	var all []process
	spaces, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, space := range spaces {
		if target, _ := os.Readlink(space); target == namespace {
			if p, ok := readProcess(filepath.Dir(filepath.Dir(space))); ok {
				all = append(all, p)
			}
		}
	}
	slices.SortFunc(all, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	return all
}

// readProcess reads "PID (NAME) STATE PARENT …".
func readProcess(dir string) (p process, ok bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	head, tail, cut := strings.Cut(string(stat), ") ")
	if err != nil || !cut {
		return p, false
	}
	number, name, _ := strings.Cut(head, " (")
	fields := strings.Fields(tail)
	p.pid, _ = strconv.Atoi(number)
	p.parent, _ = strconv.Atoi(fields[1])
	p.name, p.state = name, fields[0]
	return p, true
}

func (s *server) find(name string) int {
	for _, p := range s.processes() {
		if p.name == name && p.state != "Z" {
			return p.pid
		}
	}
	return 0
}

// within asks until the answer is yes or the time is up.
func within(d time.Duration, done func() bool) bool {
	for end := time.Now().Add(d); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// shortTempDir stands in for t.TempDir, whose paths are too long for the sockets
// below RUN_DIR (108 bytes), and which users without rights cannot enter.
func shortTempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pt")
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

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lastPort begins somewhere else in each run, below the ports that the kernel
// gives to clients.
var lastPort = func() *atomic.Int32 {
	var port atomic.Int32
	port.Store(int32(8000 + os.Getpid()*89%22000))
	return &port
}()

func freePort() string {
	for {
		port := strconv.Itoa(int(lastPort.Add(1)))
		l, err := net.Listen("tcp", ":"+port)
		if err == nil {
			l.Close()
			return port
		}
	}
}

// testUsers are user0 to user199 with the password "pass".
func testUsers() string {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "user%d:pass\n", i)
	}
	return b.String()
}

// health runs pidgeon health inside of the server's namespaces.
func (s *server) health() (code int, out string) {
	cmd := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(s.cmd.Process.Pid), "-p", "-m", "-r", "-w", "--", "env"}, append(s.environment(), s.binary, "health")...)...)
	said, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(said)
}

func (s *server) environment() []string {
	var all []string
	for name, value := range s.environ {
		all = append(all, name+"="+value)
	}
	return all
}
