package dovecot_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pidgeon/dovecot"
	"pidgeon/tests/dovecottest"
)

// install puts a dovecot that runs script, and a doveconf, into PATH.
func install(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"dovecot", "doveconf"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func run(_ context.Context, cmd *exec.Cmd) error { return cmd.Run() }

// TestFindInstalled asks the real one for its version, and finds the same in the
// program's file.
func TestFindInstalled(t *testing.T) {
	for dialect, version := range map[string]string{"2.3": "2.3.", "2.4": "2.4."} {
		t.Run(dialect, func(t *testing.T) {
			root := dovecottest.NeedRootfs(t, dialect)
			install(t, "exec chroot '"+root+"' dovecot \"$@\"\n")
			d, err := dovecot.Find(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			if d.Dialect != dialect || !strings.HasPrefix(d.Version, version) {
				t.Errorf("got version %s, dialect %s", d.Version, d.Dialect)
			}
			if held := dovecot.VersionInside(root + "/usr/sbin/dovecot"); !strings.HasPrefix(string(held), d.Version) {
				t.Errorf("the program holds %q, and says %q", held, d.Version)
			}
		})
	}
}

func TestFind(t *testing.T) {
	tests := []struct{ name, script, version, want string }{
		{"2.3", "echo '2.3.21 (47349e2482)'", "2.3.21", ""},
		{"2.4", "echo '2.4.1-4 (7d8c0e5759)'", "2.4.1", ""},
		{"2.10", "echo '2.10.1'", "", "using Dovecot 2.10.1: only 2.3 and 2.4 are known"},
		{"2.2", "echo '2.2.36 (1f10bfa63)'", "", "using Dovecot 2.2.36: only 2.3 and 2.4 are known"},
		{"other words", "echo 'dovecot, a mail server'", "", `reading the version of DIR/dovecot: no number in "dovecot, a mail server\n"`},
		{"no words", "", "", `reading the version of DIR/dovecot: no number in ""`},
		{"refusal", "echo no licence >&2; exit 3", "", "asking DIR/dovecot for its version: no licence\n"},
		{"end", "exit 3", "", "asking DIR/dovecot for its version: exit status 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := install(t, tt.script)
			d, err := dovecot.Find(t.Context(), run)
			want := strings.ReplaceAll(tt.want, "DIR", dir)
			switch {
			case err != nil && err.Error() != want:
				t.Errorf("got %q, want %q", err, want)
			case err == nil && (want != "" || d.Version != tt.version || d.Dialect != tt.version[:3]):
				t.Errorf("got version %s, dialect %s, want %s or %q", d.Version, d.Dialect, tt.version, want)
			}
		})
	}
}
