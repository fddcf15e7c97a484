package watch

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inNamespace runs the test again in a process with its own namespaces and
// tells whether this is that process.
func inNamespace(t *testing.T, flags uintptr) bool {
	t.Helper()
	if os.Getenv("IN_NAMESPACE") != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v")
	cmd.Env = append(os.Environ(), "IN_NAMESPACE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  flags | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Skip("no user namespaces here:", err)
	}
	t.Logf("in a namespace:\n%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}
