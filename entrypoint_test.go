package main

import (
	"flag"
	"os"
	"os/exec"
	"runtime"
	"strconv"
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
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
	os.Exit(m.Run())
}

// counting is how a dialect says how many clients a process serves.
var counting = map[string]struct{ key, unlimited string }{
	"2.3": {"service_count", "0"},
	"2.4": {"restart_request_count", "unlimited"},
}

// TestEntrypoint drives the built binary as PID 1 of a PID namespace, against
// real Dovecot. Each file in testdata/script is one behaviour; the commands that
// are not testscript's own are in entrypoint_commands_test.go.
func TestEntrypoint(t *testing.T) {
	need(t, "bash", "curl", "mbsync", "nsenter", "openssl", "python3")
	binary, err := pidgeontest.Build(pidgeontest.ShortTempDir(t))
	if err != nil {
		t.Fatal(err)
	}
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		testscript.Run(t, testscript.Params{
			Dir:                "testdata/script",
			WorkdirRoot:        pidgeontest.ShortTempDir(t),
			RequireUniqueNames: true,
			Cmds:               scriptCommands,
			Condition:          func(name string) (bool, error) { return name == dialect, nil },
			Setup: func(env *testscript.Env) error {
				env.Setenv("DIALECT", dialect)
				env.Setenv("COUNT_KEY", counting[dialect].key)
				env.Setenv("UNLIMITED", counting[dialect].unlimited)
				return setUp(env, root, binary)
			},
		})
	})
}

func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			pidgeontest.Gap(t, "%s is not installed: run tools/test.sh", tool)
		}
	}
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
	env.Setenv("METRICS_PORT", pidgeontest.FreePort()) // for the scripts that turn it on
	s, err := pidgeontest.New(root, binary, env.WorkDir)
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
		if t, ok := env.T().(interface{ Failed() bool }); ok && t.Failed() {
			env.T().Log(s.Log.Tail(60))
		}
	})
	return nil
}
