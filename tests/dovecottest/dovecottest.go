// Package dovecottest gives tests the real Dovecot of each dialect, in root file systems
// of their own, and configurations for it.
package dovecottest

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pidgeon/certificate"
	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/tests/pidgeontest"
)

// Dialects are those that Dovecot speaks.
var Dialects = pidgeontest.Dialects

// Here is where Dovecot sees the directory it is given.
const Here = "/run/pidgeon/generations/7"

// enter runs a command in a root file system with a directory of the test's as Here,
// both in a mount namespace that goes away with it.
// The temporary directory is the same in both: Check writes its copies there.
const enter = `mount -t tmpfs tmpfs "$1/run" && mkdir -p "$1$3" && mount --bind "$2" "$1$3" && mount --bind /tmp "$1/tmp" &&
ulimit -n "$(ulimit -Hn)" && root=$1 && shift 3 && exec chroot "$root" "$@"`

// NeedRootfs is the root file system with a dialect's Dovecot. Without one it skips.
func NeedRootfs(t testing.TB, dialect string) string {
	t.Helper()
	root, variable := pidgeontest.Rootfs(dialect)
	if root == "" || os.Geteuid() != 0 {
		pidgeontest.Gap(t, "asking Dovecot %s takes root, and a root file system in %s: run tools/test.sh", dialect, variable)
	}
	return root
}

// Installed is the real Dovecot of a dialect, which sees dir as Here.
func Installed(t testing.TB, dialect, dir string) *dovecot.Dovecot {
	t.Helper()
	root := NeedRootfs(t, dialect)
	return &dovecot.Dovecot{
		Dialect: dialect, Program: "/usr/sbin/dovecot", Doveconf: "/usr/bin/doveconf", Root: root,
		Run: func(ctx context.Context, cmd *exec.Cmd) error {
			inside := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", enter, "sh", root, dir, Here, cmd.Path}, cmd.Args[1:]...)...)
			inside.Stdout, inside.Stderr = cmd.Stdout, cmd.Stderr
			inside.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			inside.Cancel = func() error { return syscall.Kill(-inside.Process.Pid, syscall.SIGKILL) }
			ended := make(chan error)
			go func() { ended <- inside.Run() }() // from a thread that may mount: a rehearsal's may not
			return <-ended
		},
	}
}

//go:embed 2.3 2.4
var fixtures embed.FS

// Fixture is a file of a dialect's directory here.
func Fixture(dialect, name string) string {
	text, err := fixtures.ReadFile(dialect + "/" + name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Override is where the operator knows the override of Configuration from.
const Override = "/overrides/10-x.conf"

// Configuration writes one with two protocols and a single override, and returns its
// files.
func Configuration(t testing.TB, dialect, dir, override string) config.Files {
	t.Helper()
	return configuration(t, dialect, "two-protocols.conf", dir, override)
}

// configuration writes a file of pidgeon's and one of the operator's, with dir in the
// place of each @, and what includes them.
func configuration(t testing.TB, dialect, base, dir, override string) config.Files {
	t.Helper()
	files := config.Files{
		{Name: config.Main, Origin: "template dovecot.conf", Data: []byte(Fixture(dialect, "dovecot.conf"))},
		{Name: "conf.d/10-base.conf", Origin: "template 10-base.conf", Data: []byte(Fixture(dialect, base))},
		{Name: "overrides/10-x.conf", Origin: Override, Override: true, Data: []byte(override)},
	}
	for i, f := range files {
		files[i].Data = bytes.ReplaceAll(f.Data, []byte("@"), []byte(dir))
		Write(t, dir, f.Name, string(files[i].Data))
	}
	return files
}

// Write writes a file below dir.
func Write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Main is the main file as Dovecot sees it.
var Main = filepath.Join(Here, config.Main)

// Host is where configurations with all protocols can be run: their directory is the
// same for Dovecot and for the test.
type Host struct {
	Dialect string
	Dir     string
	Dovecot *dovecot.Dovecot
}

// OnEach runs a test on a host of each dialect.
func OnEach(t *testing.T, test func(t *testing.T, h *Host)) {
	for _, dialect := range Dialects {
		t.Run(dialect, func(t *testing.T) {
			h := &Host{Dialect: dialect, Dir: pidgeontest.ShortTempDir(t)}
			h.Dovecot = Installed(t, dialect, h.Dir)
			Certify(t, h.Dir, "tls")
			Certify(t, h.Dir, "other")
			Write(t, h.Dir, "users", "alice:{PLAIN}secret\n")
			test(t, h)
		})
	}
}

// Configure writes a configuration with an override, in which @ is the directory, and
// tells what Dovecot makes of it.
func (h *Host) Configure(t *testing.T, override string) (config.Files, dovecot.Settings) {
	t.Helper()
	files := configuration(t, h.Dialect, "all-protocols.conf", h.Dir, override)
	main := filepath.Join(h.Dir, config.Main)
	effective, err := h.Dovecot.Effective(t.Context(), main, append(dovecot.PortSettings(), "listen", "protocols")...)
	if err != nil {
		t.Fatal(err)
	}
	return files, effective.Settings
}

// Certify writes a self-signed certificate, NAME.crt, and its key, NAME.key.
func Certify(t testing.TB, dir, name string) {
	t.Helper()
	made := t.TempDir()
	_, err := certificate.SelfSigned(made, "mail.example.com", time.Now())
	for _, end := range []string{".crt", ".key"} {
		err = errors.Join(err, os.Rename(filepath.Join(made, "tls"+end), filepath.Join(dir, name+end)))
	}
	if err != nil {
		t.Fatal(err)
	}
}
