package dovecot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// rootfs names the variables with a root file system for each dialect.
var rootfs = map[string]string{"2.3": "PIDGEON_ROOTFS_BOOKWORM", "2.4": "PIDGEON_ROOTFS_TRIXIE"}

var dialects = []string{"2.3", "2.4"}

// here is where Dovecot sees the directory it is given.
const here = "/run/pidgeon/generations/7"

// enter runs a command in a root file system with a directory of ours as here,
// both in a mount namespace that goes away with it.
// The temporary directory is the same in both: Check writes trial copies there.
const enter = `mount -t tmpfs tmpfs "$1/run" && mkdir -p "$1$3" && mount --bind "$2" "$1$3" && mount --bind /tmp "$1/tmp" &&
ulimit -n "$(ulimit -Hn)" && root=$1 && shift 3 && exec chroot "$root" "$@"`

// needRootfs skips a test where no real Dovecot can be asked.
func needRootfs(t testing.TB, dialect string) string {
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

// installed is the real Dovecot of a dialect, which sees dir as here.
func installed(t testing.TB, dialect, dir string) *Dovecot {
	t.Helper()
	root := needRootfs(t, dialect)
	return &Dovecot{
		Dialect: dialect, path: "/usr/sbin/dovecot", doveconf: "/usr/bin/doveconf", root: root,
		run: func(ctx context.Context, cmd *exec.Cmd) error {
			inside := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", enter, "sh", root, dir, here, cmd.Path}, cmd.Args[1:]...)...)
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

// mains include a file of ours and then the operator's.
var mains = map[string]string{
	"2.3": "!include conf.d/10-base.conf\n!include overrides/10-x.conf\n",
	"2.4": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n!include conf.d/10-base.conf\n!include overrides/10-x.conf\n",
}

var bases = map[string]string{
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

// configuration writes one with a single override and returns its texts.
func configuration(t testing.TB, dialect, dir, override string) Texts {
	t.Helper()
	texts := Texts{
		{Path: "dovecot.conf", Origin: "template dovecot.conf", Data: []byte(mains[dialect])},
		{Path: "conf.d/10-base.conf", Origin: "template 10-base.conf", Data: []byte(bases[dialect])},
		{Path: "overrides/10-x.conf", Origin: "/overrides/10-x.conf", Mine: true, Data: []byte(override)},
	}
	for i, text := range texts {
		write(t, dir, text.Path, string(text.Data))
		texts[i].Path = filepath.Join(here, text.Path)
	}
	return texts
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// mainPath is the main file as Dovecot sees it.
var mainPath = filepath.Join(here, "dovecot.conf")

// check is what a dialect finds wrong with an override: faults, and remarks with
// a "warning: " before them.
func check(t testing.TB, dialect, override string) []string {
	t.Helper()
	dir := t.TempDir()
	texts := configuration(t, dialect, dir, override)
	found, err := installed(t, dialect, dir).Check(t.Context(), mainPath, texts)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		if f.Warning {
			lines = append(lines, "warning: "+f.Error())
		} else {
			lines = append(lines, f.Error())
		}
	}
	return lines
}
