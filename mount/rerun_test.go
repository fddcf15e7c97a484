package mount

import (
	"os/exec"
	"syscall"
	"testing"
)

// rerunAs runs the same test in another process under another user.
func rerunAs(t *testing.T, uid uint32) {
	t.Helper()
	// Not os.Executable: its directory may be closed to that user.
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	t.Logf("as user %d:\n%s", uid, out)
	if err != nil {
		t.Error(err)
	}
}
