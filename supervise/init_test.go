package supervise

import (
	"os"
	"os/exec"
	"testing"
)

// initVar tells the test binary that it is meant to be PID 1.
const initVar = "SUPERVISE_TEST_INIT"

// TestAsInit runs every test of this package again as the real PID 1 of a fresh
// namespace.
func TestAsInit(t *testing.T) {
	if isInit() {
		t.Skip("is PID 1 already")
	}
	unshare := []string{"--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Getuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	if out, err := exec.Command("unshare", append(unshare, "true")...).CombinedOutput(); err != nil {
		cannot(t, "no PID namespace to be had here: "+string(out))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(unshare, exe, "-test.v", "-test.shuffle=on", "-test.timeout=5m")
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), initVar+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("as PID 1: %v\n%s", err, out)
	}
}

// cannot skips, but not where everything is meant to be possible.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
