package command

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMisuse(t *testing.T) {
	for _, tt := range []struct {
		command func(Call) int
		name    string
		args    []string
		want    string
	}{
		{Check, "check", []string{"everything"}, "check does not take everything"},
		{Check, "check", []string{"--json", "everything"}, "check does not take everything"},
		{Check, "check", []string{"--jsn"}, "check: flag provided but not defined: -jsn"},
		{Env, "env", []string{"IMAP_MODE"}, "env does not take IMAP_MODE"},
		{Render, "render", []string{"--diff", "--output", "/x"}, "render takes --diff, or --output DIR"},
		{Render, "render", []string{"--output"}, "render: flag needs an argument: -output"},
		{Explain, "explain", []string{"--json"}, "explain takes the name of a setting, or of a variable, and --json"},
	} {
		var said bytes.Buffer
		code := tt.command(Call{Name: tt.name, Args: tt.args, Stdout: &said, Stderr: &said})
		if want := "pidgeon: " + tt.want + "\nTry pidgeon --help.\n"; code != ExitUsage || said.String() != want {
			t.Errorf("%s %q: exit code %d, said %q, want %q", tt.name, tt.args, code, &said, want)
		}
	}
}

// A name that is nearly one of ours is taken for it only where no program has it.
func TestForeignMisspelt(t *testing.T) {
	ours := []string{"check", "env", "explain", "health", "plan", "render", "run", "status", "version", "help"}
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if err := os.WriteFile(filepath.Join(bin, "plam"), []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		code    int
		meaning string
	}{
		{"chek", 127, "check"},
		{"exlpain", 127, "explain"},
		{"halth", 127, "health"},
		{"rnu", 127, "env or run"},
		{"no-such-command", 127, ""},
		{"", 126, ""},
		{"./chek", 127, ""},
		{"plam", 7, ""},
	} {
		var said bytes.Buffer
		code, want := RunOtherCommand(Call{Name: tt.name, Stderr: &said}, ours), ""
		if tt.meaning != "" {
			want = "pidgeon: " + tt.name + " is neither a command of pidgeon nor a program in PATH: did you mean " + tt.meaning + "?\n"
		}
		if code != tt.code || said.String() != want {
			t.Errorf("%s: exit code %d, said %q, want %d, %q", tt.name, code, &said, tt.code, want)
		}
	}
}

func TestDovecotForeground(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")) // which a path to dovecot adds to
	for _, tt := range []struct {
		name string
		args []string
		conf string
		ok   bool
	}{
		{"dovecot", []string{"-F", "-c", "/c"}, "/c", true},
		{"/opt/sbin/dovecot", []string{"-c", "/c", "-F"}, "/c", true},
		{"dovecot", []string{"-Fc", "/c"}, "/c", true},
		{"dovecot", []string{"-F", "-c/c"}, "/c", true},
		{"dovecot", []string{"-F", "-c"}, "", false},
		{"dovecot", []string{"-c", "/c"}, "", false},
		{"dovecot", []string{"-F", "-n"}, "", false},
		{"dovecot", []string{"-F", "-o", "mail_debug=yes"}, "", false},
		{"dovecot", []string{"-F", "reload"}, "", false},
		{"dovecot", nil, "", false},
		{"doveadm", []string{"-F", "-c", "/c"}, "", false},
	} {
		run, ok := Call{Name: tt.name, Args: tt.args}.DovecotForeground()
		if ok != tt.ok || ok && !slices.Contains(run.Environ, "DOVECOT_CONF="+tt.conf) {
			t.Errorf("%s %q: %v, environment %q; want %v, %q", tt.name, tt.args, ok, run.Environ, tt.ok, tt.conf)
		}
	}
}
