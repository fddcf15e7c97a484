package pidgeontest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// Dialects are those that Dovecot speaks.
var Dialects = []string{"2.3", "2.4"}

var rootfs = map[string]string{"2.3": "PIDGEON_ROOTFS_BOOKWORM", "2.4": "PIDGEON_ROOTFS_TRIXIE"}

// Rootfs is the root file system with a dialect's Dovecot, of any version, that
// tools/rootfs.sh made, and the variable that names it.
func Rootfs(dialect string) (root, variable string) {
	return os.Getenv(rootfs[dialect]), rootfs[dialect]
}

// What --version prints is a constant in the program.
var version = regexp.MustCompile(`\x00(2\.[34]\.[0-9]+)[0-9.-]* \([0-9a-f]{6,}\)\x00`)

// Version is that of the Dovecot in a root file system, as in "2.4.1".
func Version(root string) string {
	program, _ := os.ReadFile(root + "/usr/sbin/dovecot")
	if found := version.FindSubmatch(program); found != nil {
		return string(found[1])
	}
	return ""
}

// OnEach runs a test with the root file system of each dialect.
func OnEach(t *testing.T, test func(t *testing.T, dialect, root string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		Gap(t, "only root can enter a root file system: run go test -exec 'sudo -E', as tools/test.sh does")
	}
	for _, dialect := range Dialects {
		t.Run(dialect, func(t *testing.T) {
			root, variable := Rootfs(dialect)
			if root == "" {
				Gap(t, "%s does not name a root file system with Dovecot %s: run tools/test.sh", variable, dialect)
			}
			test(t, dialect, root)
		})
	}
}

// Gap skips, except where no gap is allowed.
func Gap(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Build makes a pidgeon in dir. A name of its own tells it from any other on this
// machine.
func Build(dir string, flags ...string) (binary string, err error) {
	binary = filepath.Join(dir, "pidgeon-tested")
	cmd := exec.Command("go", slices.Concat([]string{"build", "-tags", "nethttpomithttp2", "-trimpath", "-ldflags", "-s -w", "-o", binary}, flags, []string{"."})...)
	cmd.Dir, cmd.Env = repository(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return binary, nil
}

// repository is the directory above a test's own that has a go.mod.
func repository() string {
	dir, _ := os.Getwd()
	for _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil && dir != "/"; _, err = os.Stat(filepath.Join(dir, "go.mod")) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// ShortTempDir stands in for t.TempDir, whose paths are too long for the sockets
// below RUN_DIR (108 bytes), and which users without rights cannot enter.
func ShortTempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pg")
	if err = errors.Join(err, os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Within asks until the answer is yes or the time is up. It pauses longer than a short
// question takes, because the processors are what the tests are short of; a long one waits.
func Within(d time.Duration, done func() bool) bool {
	for end := time.Now().Add(d); ; {
		asked := time.Now()
		if done() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		time.Sleep(min(max(10*time.Millisecond, 2*time.Since(asked)), 100*time.Millisecond))
	}
}
