package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"pidgeon/tests/pidgeontest"
)

// TestMain lets more scripts run at once than there are processors: they wait far
// more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

var (
	buildDir string
	build    = sync.OnceValues(func() (string, error) {
		var err error
		if buildDir, err = os.MkdirTemp("/tmp", "pg"); err == nil {
			err = os.Chmod(buildDir, 0o755)
		}
		if err != nil {
			return "", err
		}
		return pidgeontest.Build(buildDir)
	})
)

// built is the path of the program, which the first test that asks for it builds.
func built(t *testing.T) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// counting is how a dialect says how many clients a process serves.
var counting = map[string]struct{ key, unlimited string }{
	"2.3": {"service_count", "0"},
	"2.4": {"restart_request_count", "unlimited"},
}

// TestEntrypoint drives the built binary as PID 1 of a PID namespace, against
// real Dovecot. Each file below testdata/script is one behaviour; README.md there
// has the commands that are not testscript's own.
func TestEntrypoint(t *testing.T) {
	t.Parallel()
	need(t, "bash", "curl", "mbsync", "nsenter", "openssl", "prometheus", "promtool", "python3")
	binary := built(t)
	subjects := scriptFolders(t)
	var begun atomic.Int32
	t.Cleanup(func() {
		if begun.Load() == 0 && installed() {
			t.Error("no script is called so: go test parts a pattern at each slash, within parentheses too")
		}
	})
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		for _, subject := range subjects {
			t.Run(subject, func(t *testing.T) {
				t.Parallel()
				runScripts(t, filepath.Join("testdata/script", subject), dialect, root, binary, &begun)
			})
		}
	})
}

// scriptFolders are the subjects that scripts are sorted by.
func scriptFolders(t *testing.T) (folders []string) {
	t.Helper()
	entries, err := os.ReadDir("testdata/script")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		switch {
		case entry.IsDir():
			folders = append(folders, entry.Name())
		case entry.Name() != "README.md":
			t.Errorf("%s lies in no folder, and would not run", entry.Name())
		}
	}
	return folders
}

func runScripts(t *testing.T, dir, dialect, root, binary string, begun *atomic.Int32) {
	testscript.Run(t, testscript.Params{
		Dir:                dir,
		WorkdirRoot:        pidgeontest.ShortTempDir(t),
		RequireUniqueNames: true,
		Cmds:               scriptCommands,
		Condition:          func(name string) (bool, error) { return name == dialect || name == pidgeontest.Version(root), nil },
		Setup: func(env *testscript.Env) error {
			begun.Add(1)
			env.Setenv("DIALECT", dialect)
			env.Setenv("COUNT_KEY", counting[dialect].key)
			env.Setenv("UNLIMITED", counting[dialect].unlimited)
			return setUp(env, root, binary)
		},
	})
}

// need skips a test whose programs are not installed, but not where there is a Dovecot to
// test with: go test says nothing of what is skipped.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		_, err := exec.LookPath(tool)
		if err != nil && installed() {
			t.Fatalf("%s is not installed: run tools/test.sh", tool)
		} else if err != nil {
			pidgeontest.Gap(t, "%s is not installed: run tools/test.sh", tool)
		}
	}
}

// installed reports whether a root file system with Dovecot is named.
func installed() bool {
	return slices.ContainsFunc(pidgeontest.Dialects, func(dialect string) bool {
		root, _ := pidgeontest.Rootfs(dialect)
		return root != ""
	})
}

// setUp gives a script its server, with directories and ports of its own. The
// paths are the same inside and outside of the root file system.
func setUp(env *testscript.Env, root, binary string) error {
	// Dovecot's sockets lie up to 60 bytes below RUN_DIR, and the kernel takes paths
	// of 107 bytes: the script's directory, whose path bears its name, gets a short one.
	work := filepath.Join(pidgeontest.ShortTempDir(env.T().(testing.TB)), "work")
	if err := os.Symlink(env.WorkDir, work); err != nil {
		return err
	}
	env.Cd = work
	env.Setenv("WORK", work)
	// What is settled only after a while is looked at longer where time is cheap.
	env.Setenv("AWHILE", "8s")
	if os.Getenv("CI") == "true" {
		env.Setenv("AWHILE", "30s")
	}
	env.Setenv("HOME", os.Getenv("HOME")) // python3 may be found through it
	env.Setenv("PIDGEON", binary)
	for _, folder := range []string{"deploy", "examples"} {
		path, err := filepath.Abs(folder)
		if err != nil {
			return err
		}
		env.Setenv(strings.ToUpper(folder), path)
	}
	env.Setenv("METRICS_PORT", pidgeontest.FreePort()) // for the scripts that turn it on
	s, err := pidgeontest.New(root, binary, work)
	if err != nil {
		return err
	}
	for name, value := range s.Environ {
		if name != "PATH" {
			env.Setenv(name, value)
		}
	}
	env.Values[serverKey{}] = s
	env.Values[sessionsKey{}] = map[string][]*pidgeontest.Session{}
	env.Defer(func() {
		s.Kill()
		if t := env.T().(testing.TB); t.Failed() {
			t.Log(s.Log.Tail(60))
		}
	})
	return nil
}
