package torture

import (
	"flag"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// dialects are what the corpus has outcomes for.
var dialects = []string{"2.3", "2.4"}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	return pidgeontest.Build(dir)
})

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if binary, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// onEach runs a test on each dialect: side by side, unless their times are to count.
func onEach(t *testing.T, test func(t *testing.T, dialect, root string)) {
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		if !*whole {
			t.Parallel()
		}
		test(t, dialect, root)
	})
}

// server is one that things are done to.
type server struct {
	*pidgeontest.Server
	dialect string
	launch  pidgeontest.Launch
}

func newServer(t *testing.T, dialect, root string) *server {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return newServerOf(t, binary, dialect, root)
}

func newServerOf(t *testing.T, binary, dialect, root string) *server {
	t.Helper()
	work := pidgeontest.ShortTempDir(t)
	inside, err := pidgeontest.New(root, binary, work)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Server: inside, dialect: dialect}
	s.Environ["PATH"] = s.path("bin") + ":" + s.Environ["PATH"]
	for _, dir := range []string{"bin", "refs"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Log(s.Log.Tail(40))
		}
	})
	return s
}

func (s *server) path(names ...string) string {
	return filepath.Join(append([]string{s.Work}, names...)...)
}

// override writes an override as a careful editor does: aside, then renamed.
func (s *server) override(t testing.TB, name, text string) {
	t.Helper()
	write(t, s.path("."+name), text)
	if err := os.Rename(s.path("."+name), s.path("overrides", name)); err != nil {
		t.Fatal(err)
	}
}

func (s *server) port() string { return s.Environ["IMAPS_PORT"] }

// start starts the entrypoint in the background.
func (s *server) start(t testing.TB) {
	t.Helper()
	if err := s.Start(s.launch); err != nil {
		t.Fatal(err)
	}
}

// startServing starts it and waits until it says that it serves.
func (s *server) startServing(t testing.TB) {
	t.Helper()
	s.start(t)
	if !s.Log.Await("msg=started", pidgeontest.Patience) {
		t.Fatalf("not started within %v: %s", pidgeontest.Patience, s.Log.Tail(20))
	}
}

func (s *server) signal(sig syscall.Signal) { _ = syscall.Kill(s.PID(), sig) }

// exit waits for the end and returns the code, 128+n for a signal.
func (s *server) exit(t testing.TB, limit time.Duration) int {
	t.Helper()
	code, err := s.Exit(limit)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
