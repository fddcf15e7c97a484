// Package dovecottest gives tests the real Dovecot of each dialect, in root file systems
// of their own, and configurations for it.
package dovecottest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"pidgeon/config"
	"pidgeon/dovecot"
)

// rootfs names the variables with a root file system for each dialect.
var rootfs = map[string]string{"2.3": "PIDGEON_ROOTFS_BOOKWORM", "2.4": "PIDGEON_ROOTFS_TRIXIE"}

// Dialects are those that Dovecot speaks.
var Dialects = []string{"2.3", "2.4"}

// Here is where Dovecot sees the directory it is given.
const Here = "/run/pidgeon/generations/7"

// enter runs a command in a root file system with a directory of the test's as Here,
// both in a mount namespace that goes away with it.
// The temporary directory is the same in both: Check writes trial copies there.
const enter = `mount -t tmpfs tmpfs "$1/run" && mkdir -p "$1$3" && mount --bind "$2" "$1$3" && mount --bind /tmp "$1/tmp" &&
ulimit -n "$(ulimit -Hn)" && root=$1 && shift 3 && exec chroot "$root" "$@"`

// NeedRootfs skips a test where no real Dovecot can be asked.
func NeedRootfs(t testing.TB, dialect string) string {
	t.Helper()
	root, reason := os.Getenv(rootfs[dialect]), ""
	switch {
	case root == "":
		reason = rootfs[dialect] + " names no root file system with Dovecot " + dialect
	case os.Geteuid() != 0 && !maySudo():
		reason = "entering a root file system needs root, or sudo without a password"
	default:
		return root
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(reason + ", and CI=true allows no gap")
	}
	t.Skip(reason)
	return ""
}

var maySudo = sync.OnceValue(func() bool { return exec.Command("sudo", "-n", "true").Run() == nil })

// Installed is the real Dovecot of a dialect, which sees dir as Here.
func Installed(t testing.TB, dialect, dir string) *dovecot.Dovecot {
	t.Helper()
	root := NeedRootfs(t, dialect)
	return &dovecot.Dovecot{
		Dialect: dialect, Program: "/usr/sbin/dovecot", Doveconf: "/usr/bin/doveconf", Root: root,
		Run: func(ctx context.Context, cmd *exec.Cmd) error {
			inside := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", enter, "sh", root, dir, Here, cmd.Path}, cmd.Args[1:]...)...)
			if os.Geteuid() != 0 {
				inside = exec.CommandContext(ctx, "sudo", append([]string{"-n"}, inside.Args...)...)
			}
			inside.Stdout, inside.Stderr = cmd.Stdout, cmd.Stderr
			inside.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			inside.Cancel = func() error { return syscall.Kill(-inside.Process.Pid, syscall.SIGKILL) }
			return inside.Run()
		},
	}
}

// Mains include a file of pidgeon's and then the operator's.
var Mains = map[string]string{
	"2.3": "!include conf.d/10-base.conf\n!include overrides/10-x.conf\n",
	"2.4": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n!include conf.d/10-base.conf\n!include overrides/10-x.conf\n",
}

// Bases are files of pidgeon's own.
var Bases = map[string]string{
	"2.3": `base_dir = /run/pidgeon/dovecot
protocols = imap lmtp
ssl = no
mail_location = maildir:~/mail
service imap-login {
  process_limit = 112
}
`,
	"2.4": `base_dir = /run/pidgeon/dovecot
protocols {
  imap = yes
  lmtp = yes
}
ssl = no
mail_driver = maildir
mail_path = ~/mail
service imap-login {
  process_limit = 112
}
`,
}

// Override is where the operator knows the override of Configuration from.
const Override = "/overrides/10-x.conf"

// Configuration writes one with a single override and returns its files.
func Configuration(t testing.TB, dialect, dir, override string) config.Files {
	t.Helper()
	files := config.Files{
		{Name: config.Main, Origin: "template dovecot.conf", Data: []byte(Mains[dialect])},
		{Name: "conf.d/10-base.conf", Origin: "template 10-base.conf", Data: []byte(Bases[dialect])},
		{Name: "overrides/10-x.conf", Origin: Override, Override: true, Data: []byte(override)},
	}
	for _, f := range files {
		Write(t, dir, f.Name, string(f.Data))
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
