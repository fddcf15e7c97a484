package dovecot_test

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/tests/dovecottest"
)

func TestParseSettings(t *testing.T) {
	tests := []struct {
		name, out string
		want      dovecot.Settings
	}{
		{"full names of 2.3", "base_dir = /run/x\nservice/imap-login/process_limit = 200\nservice/lmtp/inet_listener/lmtp/port = 24\n", dovecot.Settings{
			"base_dir": "/run/x", "service/imap-login/process_limit": "200", "service/lmtp/inet_listener/lmtp/port": "24",
		}},
		{"sections of 2.4", "service imap-login {\n  inet_listener imap {\n    port = 143\n  }\n  client_limit = 1\n}\nservice lmtp {\n}\nbase_dir = /run/x\n", dovecot.Settings{
			"service/imap-login/inet_listener/imap/port": "143", "service/imap-login/client_limit": "1", "base_dir": "/run/x",
		}},
		{"quoted name of a section", "service auth {\n  unix_listener \"/var/spool/postfix/private/auth\" {\n    mode = 0660\n  }\n}\n", dovecot.Settings{
			"service/auth/unix_listener//var/spool/postfix/private/auth/mode": "0660",
		}},
		{"name with a blank", "service \"a b\" {\n  inet_listener \"c = \\\\d {\" {\n    port = 1\n  }\n}\n", dovecot.Settings{
			"service/a b/inet_listener/c = \\d {/port": "1",
		}},
		{"listeners without a name", "service auth {\n  inet_listener {\n    port = 1\n  }\n  inet_listener {\n    port = 2\n  }\n}\npassdb {\n  driver = x\n}\n", dovecot.Settings{
			"service/auth/inet_listener/#1/port": "1", "service/auth/inet_listener/#2/port": "2", "passdb/#1/driver": "x",
		}},
		{"header", "# 2.4.1-4 (7d8c0e5759): /etc/dovecot.conf\n# OS: Linux\nbase_dir = /x\n", dovecot.Settings{"base_dir": "/x"}},
		{"nothing", "", dovecot.Settings{}},
		{"empty value", "chroot = \nmail_plugins =\n", dovecot.Settings{"chroot": "", "mail_plugins": ""}},
		{"equals sign", "args = uid=5 home=/a = b\n", dovecot.Settings{"args": "uid=5 home=/a = b"}},
		{"brace at the end of a value", "login_greeting = hello {\nbase_dir = /x\n", dovecot.Settings{"login_greeting": "hello {", "base_dir": "/x"}},
		{"brace as a value", "login_greeting = }\nbase_dir = /x\n", dovecot.Settings{"login_greeting": "}", "base_dir": "/x"}},
		{"a } too many", "}\nbase_dir = /x\n", dovecot.Settings{"base_dir": "/x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := dovecot.ParseDump(tt.out)
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// effective asks the real Dovecot for settings under an override.
func effective(t *testing.T, dialect, override string, names ...string) dovecot.Settings {
	t.Helper()
	dir := t.TempDir()
	dovecottest.Configuration(t, dialect, dir, override)
	s, err := dovecottest.Installed(t, dialect, dir).Effective(t.Context(), dovecottest.Main, names...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Settings
}

// The limits that people override, as Dovecot understands them.
func TestLimits(t *testing.T) {
	name := map[string]string{"2.3": "service_count", "2.4": "restart_request_count"}
	never := map[string]string{"2.3": "0", "2.4": "unlimited"}
	type limits struct {
		processes, clients, requests int
		ok                           bool
	}
	for _, dialect := range dovecottest.Dialects {
		sized := "service imap-login {\n  client_limit = 1\n  " + name[dialect] + " = 1\n}\n"
		for _, tt := range []struct {
			name, override string
			want           limits
		}{
			{"untouched", "", limits{112, 1, 1, true}},
			{"process_limit", "service imap-login {\n  process_limit = 200\n}\n", limits{200, 1, 1, true}},
			{"high performance", "service imap-login {\n  " + name[dialect] + " = " + never[dialect] + "\n  client_limit = 3000\n  process_limit = 4\n}\n", limits{4, 3000, -1, true}},
			{"reused", "service imap-login {\n  " + name[dialect] + " = 1000\n  client_limit = 30\n}\n", limits{112, 30, 1000, true}},
			{"more clients than a process is given", "service imap-login {\n  client_limit = 5\n}\nservice imap-login {\n  client_limit = 7\n}\n", limits{112, 1, 1, true}},
		} {
			t.Run(dialect+"/"+tt.name, func(t *testing.T) {
				s := effective(t, dialect, sized+tt.override, append(dovecot.LimitSettings("imap-login"), "default_client_limit", "default_process_limit")...)
				processes, clients, requests, ok := s.Limits("imap-login")
				if got := (limits{processes, clients, requests, ok}); got != tt.want {
					t.Errorf("got %+v, want %+v out of %q", got, tt.want, s)
				}
			})
		}
	}
}

func TestLimitsByDefault(t *testing.T) {
	tests := []struct {
		settings                     dovecot.Settings
		processes, clients, requests int
		ok                           bool
	}{
		{dovecot.Settings{"service/x/process_limit": "0", "default_process_limit": "100", "service/x/client_limit": "0", "default_client_limit": "1000", "service/x/service_count": "1"}, 100, 1, 1, true},
		{dovecot.Settings{"service/x/process_limit": "5", "default_process_limit": "100", "service/x/client_limit": "6", "default_client_limit": "1000", "service/x/service_count": "0"}, 5, 6, -1, true},
		{dovecot.Settings{"service/x/process_limit": "unlimited", "service/x/client_limit": "6", "service/x/restart_request_count": "unlimited"}, 1 << 20, 6, -1, true},
		{dovecot.Settings{"default_client_limit": "1000"}, 0, 1000, -1, false},
		{dovecot.Settings{}, 0, 0, -1, false},
	}
	for _, tt := range tests {
		processes, clients, requests, ok := tt.settings.Limits("x")
		if processes != tt.processes || clients != tt.clients || requests != tt.requests || ok != tt.ok {
			t.Errorf("%q: got %d %d %d %t", tt.settings, processes, clients, requests, ok)
		}
	}
}

// changed is all that an override and our file change.
func changed(t *testing.T, dialect, override string, secrets bool) string {
	t.Helper()
	dir := t.TempDir()
	dovecottest.Configuration(t, dialect, dir, override)
	dump, err := dovecottest.Installed(t, dialect, dir).Dump(t.Context(), dovecottest.Main, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

func TestDump(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			dump := changed(t, dialect, "# a comment\nlogin_greeting = a # comment\nlogin_log_format_elements = \" # no comment\"\n", false)
			s := dovecot.ParseDump(dump)
			for name, want := range map[string]string{
				"login_greeting": "a", "login_log_format_elements": `" # no comment"`,
				"service/imap-login/process_limit": "112", "ssl": "no",
			} {
				if s[name] != want {
					t.Errorf("%s = %q, want %q", name, s[name], want)
				}
			}
			if !s.ProtocolOn("imap") || !s.ProtocolOn("lmtp") || s.ProtocolOn("pop3") || s.ProtocolOn("") {
				t.Errorf("imap and lmtp are on: %q", s)
			}
			if strings.Contains(dump, dovecottest.Main) {
				t.Errorf("it names the file, so that two that say the same differ:\n%s", dump)
			}
		})
	}
}

func TestDumpSecrets(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		const override = "doveadm_password = s3cr3t\n"
		if dump := changed(t, dialect, override, false); strings.Contains(dump, "s3cr3t") {
			t.Errorf("%s: a dump to be shown holds the password:\n%s", dialect, dump)
		}
		if dump := changed(t, dialect, override, true); !strings.Contains(dump, "s3cr3t") {
			t.Errorf("%s: another password would make no difference:\n%s", dialect, dump)
		}
	}
}

func TestListeners(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			address := map[string]string{"2.3": "address", "2.4": "listen"}[dialect]
			override := fmt.Sprintf(`listen = 127.0.0.1, [::1]
service imap-login {
  inet_listener imap {
    port = 1143
  }
  inet_listener imaps {
    port = 0
  }
  inet_listener mine {
    port = 1144
    %s = 127.0.0.2
  }
}
service pop3-login {
  inet_listener pop3 {
    port = 1110
  }
}
service lmtp {
  inet_listener lmtp {
    port = 1024
  }
}
`, address)
			want := []config.Listener{
				{Name: "imap", Protocol: "imap", Port: 1143, Addresses: []string{"127.0.0.1", "::1"}},
				{Name: "mine", Protocol: "imap", Port: 1144, Addresses: []string{"127.0.0.2"}},
				{Name: "lmtp", Protocol: "lmtp", Port: 1024, Addresses: []string{"127.0.0.1", "::1"}},
			}
			if got := dovecot.ParseDump(changed(t, dialect, override, false)).Listeners(); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// Every listener is one of its own, whatever its name.
func TestListenersOfAnyName(t *testing.T) {
	const named = "service auth {\n  inet_listener \"a b\" {\n    port = 1\n  }\n  inet_listener a/b {\n    port = 2\n  }\n  inet_listener a\\b {\n    port = 3\n  }\n}\n"
	const twice = "service imap-login {\n  inet_listener imap {\n    port = 9\n  }\n}\nservice auth {\n  inet_listener imap {\n    port = 6\n  }\n  inet_listener x {\n    port = 7\n  }\n}\nservice dict {\n  inet_listener x {\n    port = 8\n  }\n}\n"
	const unnamed = "service auth {\n  inet_listener {\n    port = 4\n  }\n}\nservice auth {\n  inet_listener {\n    port = 5\n  }\n}\n"
	for dialect, override := range map[string]string{"2.3": named + twice + unnamed, "2.4": named + twice} {
		got := map[int]string{}
		for _, l := range dovecot.ParseDump(changed(t, dialect, override, false)).Listeners() {
			if l.Port < 10 {
				got[l.Port] = l.Name
			}
		}
		want := map[int]string{1: "a b", 2: "a/b", 3: `a\b`, 6: "auth imap", 7: "auth x", 8: "dict x", 9: "imap"}
		if dialect == "2.3" {
			want[4], want[5] = "auth #1", "auth #2"
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", dialect, got, want)
		}
	}
}

// Dovecot takes an address of IPv6 with brackets and without.
func TestAddressesInBrackets(t *testing.T) {
	const override = "listen = *, [::]\nservice auth {\n  inet_listener x {\n    port = 1\n  }\n}\n"
	for _, dialect := range dovecottest.Dialects {
		got := map[string][]string{}
		for _, l := range dovecot.ParseDump(changed(t, dialect, override, false)).Listeners() {
			got[l.Name] = l.Addresses
		}
		if want := []string{"*", "::"}; !reflect.DeepEqual(got["x"], want) {
			t.Errorf("%s: got %q, want %q", dialect, got["x"], want)
		}
	}
}

// TestGarbage gives what is no configuration, and an exit code that says all is
// well.
func TestGarbage(t *testing.T) {
	for _, out := range []string{"", "\x7fELF\x00\x01", "base_dir = /run\n\x00\n"} {
		d := &dovecot.Dovecot{Run: func(_ context.Context, cmd *exec.Cmd) error {
			_, err := cmd.Stdout.Write([]byte(out))
			return err
		}}
		if got, err := d.Effective(t.Context(), "x", "base_dir"); err == nil && out != "" {
			t.Errorf("%q is believed: %v", out, got)
		}
		if got, err := d.Dump(t.Context(), "x", true); err == nil {
			t.Errorf("%q is believed: %v", out, got)
		}
		for range 2 {
			if got, err := d.Defaults(t.Context()); err == nil {
				t.Errorf("%q is believed: %v", out, got)
			}
		}
	}
}
