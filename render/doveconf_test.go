package render_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"pidgeon/config"
	"pidgeon/tests/pidgeontest"
)

var dialects = pidgeontest.Dialects

// here is where doveconf sees the directory it is given.
const here = "/run/pidgeon/generations/7"

// enter runs a command in a root file system with a directory of ours as here,
// both in a mount namespace that goes away with it.
const enter = `mount -t tmpfs tmpfs "$1/run" && mkdir -p "$1$3" && mount --bind "$2" "$1$3" &&
ulimit -n "$(ulimit -Hn)" && root=$1 && shift 3 && exec chroot "$root" "$@"`

// needDoveconf skips a test where no real doveconf can be asked.
func needDoveconf(t testing.TB, dialect string) {
	t.Helper()
	reason := ""
	root, variable := pidgeontest.Rootfs(dialect)
	switch {
	case root == "":
		reason = variable + " names no root file system with Dovecot " + dialect
	case os.Geteuid() != 0 && !maySudo():
		reason = "entering a root file system needs root, or sudo without a password"
	}
	switch {
	case reason == "":
	case os.Getenv("CI") == "true":
		t.Fatal(reason + ", and CI=true allows no gap")
	default:
		t.Skip(reason)
	}
}

var maySudo = sync.OnceValue(func() bool { return exec.Command("sudo", "-n", "true").Run() == nil })

// noMtab is said where a path of mail is whole: engines make the file, in-rootfs does not.
var noMtab = regexp.MustCompile(`(?m)^doveconf: Error: setmntent\(/etc/mtab\) failed: .*\n`)

// doveconf runs the real one on dir and returns what it printed.
func doveconf(t testing.TB, dialect, dir string, args ...string) (out, complaint string, err error) {
	t.Helper()
	root, _ := pidgeontest.Rootfs(dialect)
	line := append([]string{"unshare", "--mount", "sh", "-c", enter, "sh", root, dir, here, "doveconf"}, args...)
	if os.Geteuid() != 0 {
		line = append([]string{"sudo", "-n"}, line...)
	}
	cmd := exec.Command(line[0], line[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), noMtab.ReplaceAllString(stderr.String(), ""), err
}

// accepted is what doveconf makes of a configuration that it has to accept
// without a word of complaint.
func accepted(t testing.TB, dialect string, files config.Files, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	out, complaint, err := doveconf(t, dialect, dir, append(args, "-c", filepath.Join(here, config.Main))...)
	if err != nil || complaint != "" {
		t.Fatalf("doveconf of %s: %v\n%s", dialect, err, complaint)
	}
	return out
}

func write(t testing.TB, dir string, files config.Files) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			t.Fatal(err)
		}
	}
}

// settingsOf reads what "doveconf -a" prints: full names and values. 2.3 and 2.4
// both indent sections.
func settingsOf(out string) map[string]string {
	found := map[string]string{}
	var sections []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		name, value, assigned := strings.Cut(line, " =")
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "}":
			sections = sections[:len(sections)-1]
		case strings.HasSuffix(line, " {") && !assigned:
			sections = append(sections, strings.TrimSuffix(line, " {"))
		default:
			found[strings.Join(append(sections[:len(sections):len(sections)], name), "/")] = value
		}
	}
	return found
}
