package lint

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/tests/dovecottest"
)

// several writes a configuration with several overrides and checks it.
func several(t *testing.T, dialect string, overrides ...string) finding.List {
	t.Helper()
	dir := t.TempDir()
	files := dovecottest.Configuration(t, dialect, dir, overrides[0])
	main := string(files[0].Data)
	for i, override := range overrides[1:] {
		name := fmt.Sprintf("overrides/%d0-x.conf", i+2)
		main += "!include " + name + "\n"
		dovecottest.Write(t, dir, name, override)
		files = append(files, config.File{Name: name, Origin: "/" + name, Override: true, Data: []byte(override)})
	}
	files[0].Data = []byte(main)
	dovecottest.Write(t, dir, "dovecot.conf", main)
	found, err := Check(t.Context(), dovecottest.Installed(t, dialect, dir), dovecottest.Main, Parse(files, dovecottest.Here))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// short is a finding in one word: code, with a "-" before a remark, and place.
func short(found finding.List) []string {
	var all []string
	for _, f := range found {
		place := strings.TrimSuffix(filepath.Base(f.Place()), "-x.conf")
		place = strings.Replace(place, "-x.conf", "", 1)
		if f.Warning {
			place = "-" + place
		}
		all = append(all, string(f.Code)+"@"+place)
	}
	return all
}

// Everything that is wrong is found at once, each thing in its file, and nothing
// that follows from it.
func TestEverythingAtOnce(t *testing.T) {
	first := `bogus = 1
service imap-login {
  proces_limit = 3
  process_limit = many
}
protocol imap {
  mail_plugins = nosuch
}
`
	second := `service imap { process_limit = 2 }
service lmtp {
  client_limit = 3
verbose = yes
first_valid_uid = abc
`
	third := "\ufeffbogus = 2\nfoo\nuser\x00 = x\n}\nservice imap-login {\n  bogus = 4\n}\n"
	want := strings.Fields(`unknown-setting@10:1 unknown-setting@10:3 invalid-value@10:4 missing-plugin@10:7
		one-line-section@20:1 unclosed-section@20:2 unknown-setting@20:4 invalid-value@20:5
		byte-order-mark@30:1 no-setting@30:2 nul-byte@30:3 unexpected-brace@30:4 unknown-setting@30:6`)
	for _, dialect := range dovecottest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			got := short(several(t, dialect, first, second, third))
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// A file of the other dialect is answered with the spelling of this one, line by
// line.
func TestOtherDialect(t *testing.T) {
	tests := []struct {
		dialect, override string
		want              []string // parts of the sentences, in order
	}{
		{"2.4", "mail_location = maildir:/srv/%d/%n\n", []string{":1: Unknown setting: mail_location: in Dovecot 2.4 it is mail_driver, mail_path"}},
		{"2.4", "ssl_cert = </x\nssl_key = </y\nssl_dh = </z\n", []string{":1:", "ssl_server_cert_file", ":2:", "ssl_server_key_file", ":3:", "ssl_server_dh_file"}},
		{"2.4", "disable_plaintext_auth = no\n", []string{"auth_allow_cleartext"}},
		{"2.4", "passdb {\n  driver = pam\n  args = x\n}\n", []string{":1: passdb { } is missing section name", "passdb NAME {", ":3: Unknown setting: args"}},
		{"2.4", "plugin {\n  quota_rule = *:storage=1G\n  sieve = ~/x\n}\n", []string{":1:", "plugin", ":2:", "quota_storage_size", ":3:", "sieve_script"}},
		{"2.4", "dict {\n  quota = mysql:/x\n}\n", []string{"dict_server { dict NAME"}},
		{"2.4", "namespace a {\n  location = maildir:~/x\n}\n", []string{":2: Unknown setting: location: in Dovecot 2.4 it is mail_driver, mail_path"}},
		{"2.4", "director_servers = x\nreplicator_host = y\n", []string{":1:", "no director", ":2:", "no replication"}},
		{"2.4", "service imap-login {\n  service_count = 0\n  inet_listener imap {\n    address = 127.0.0.1\n  }\n}\n", []string{":2:", "restart_request_count", ":4:", "it is listen"}},
		{"2.4", "mail_path = /srv/mail/%u\n", []string{":1: the variable %u", "%{user}"}},
		{"2.4", "mail_home = /srv/%Ld/%n\n", []string{":1: the variable %Ld", "%{user | domain | lower}"}},
		{"2.4", "login_log_format_elements = rip=%{rip}\n", []string{"%{remote_ip}"}},
		{"2.4", "protocol imap {\n  mail_plugins = $mail_plugins quota\n}\n", []string{":2: $mail_plugins", "mail_plugins { name = yes }"}},
		{"2.4", "default_login_user = $default_internal_user\n", []string{"$SET:default_internal_user"}},
		{"2.4", "ssl_server_cert_file = </etc/hostname\n", []string{"ssl_server_cert_file = /etc/hostname"}},
		{"2.4", "log_timestamp = \"%d %H:%M \"\n", nil},
		{"2.3", "mail_driver = maildir\nmail_path = ~/x\n", []string{":1: Unknown setting: mail_driver: this is Dovecot 2.3, where it is mail_location", ":2:", "mail_location"}},
		{"2.3", "auth_allow_cleartext = yes\n", []string{"disable_plaintext_auth"}},
		{"2.3", "mail_plugins {\n  quota = yes\n}\n", []string{":1:", "mail_plugins = name name"}},
		{"2.3", "service imap-login {\n  restart_request_count = unlimited\n}\n", []string{":2:", "service_count"}},
		{"2.3", "quota_storage_size = 1G\n", []string{"quota_rule in plugin { }"}},
		{"2.3", "sieve_script personal {\n  path = ~/x\n}\n", []string{":1:", "sieve"}},
		{"2.3", "mail_location = maildir:/srv/%{user | domain}/%n\n", []string{"%{user | domain}", "%{domain}"}},
		{"2.3", "plugin {\n  quota = maildir:User\n  sieve_extensions = +editheader\n  fts_autoindex = yes\n}\n", nil}, // both dialects' names
		{"2.3", "ssl_cert = /etc/hostname\n", []string{"ssl_cert = </etc/hostname"}},
		{"2.3", "sql_driver = mysql\n", []string{"args = names"}},
		{"2.4", "dict_server {\n  dict d {\n    dict_map priv/x/$script_name {\n      key_field n {\n        value = $script_name\n      }\n    }\n  }\n}\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.dialect+" "+strings.ReplaceAll(tt.override, "\n", " "), func(t *testing.T) {
			found := several(t, tt.dialect, tt.override)
			rest := found.Error()
			for _, part := range tt.want {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Fatalf("%q is not said, or not there:\n%s", part, found.Error())
				}
				rest = after
			}
			if len(tt.want) == 0 && len(found) > 0 {
				t.Errorf("got %v", found)
			}
			for _, f := range found {
				if f.Code != finding.OtherDialect {
					t.Errorf("%s: %v", f.Code, f)
				}
			}
		})
	}
}

// What is misspelt, or stands in the wrong place.
func TestSuggestions(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		for override, want := range map[string]string{
			"mail_max_userip_conections = 3\n":                                    "did you mean mail_max_userip_connections?",
			"process_limit = 3\n":                                                 "it belongs into a section service NAME { … }",
			"service imap-login {\n  login_greeting = x\n}\n":                     "it is a global setting: write it outside of service { }",
			"service imap-login {\n  inet_listener imap {\n    prt = 3\n  }\n}\n": "did you mean port?",
			"xyzzy_plugh = 3\n":                                                   "correct its name, or remove the line",
		} {
			found := several(t, dialect, override)
			if dialect == "2.4" && strings.Contains(override, "login_greeting") {
				continue // 2.4 takes global settings anywhere
			}
			if len(found) != 1 || found[0].Code != finding.UnknownSetting || found[0].Hint != want {
				t.Errorf("%s: %q: got %v, want %s", dialect, override, found, want)
			}
		}
	}
}

// Overrides that change nothing are named with the reason.
func TestWithoutEffect(t *testing.T) {
	tests := []struct {
		first, second string
		want          string
	}{
		{"login_greeting = a\n", "login_greeting = b\n", "overwritten@-10:1"},
		{"login_greeting = a\nlogin_greeting = b\n", "", "overwritten@-10:1"},
		{"service imap {\n  vsz_limit = 1G\n}\n", "service imap {\n  vsz_limit = 2G\n}\n", "overwritten@-10:2"},
		{"service imap {\n  vsz_limit = 1G\n}\n", "service lmtp {\n  vsz_limit = 2G\n}\n", ""},
		{"base_dir = /run/pidgeon/dovecot\n", "", "same-value@-10:1"},
		{"mail_max_userip_connections = 10\n", "", "same-value@-10:1"},
		{"mail_max_userip_connections = 11\n", "", ""},
		{"service imap-login {\n  process_limit = 112\n}\n", "", ""}, // the template follows the override
		{"mail_max_userip_connections = 11\n", "protocol imap {\n  mail_max_userip_connections = 12\n}\n", ""},
		{"protocol imap {\n  mail_max_userip_connections = 5\n}\n", "mail_max_userip_connections = 6\n", "no-effect@-20:1"},
		{"service imapx {\n  process_limit = 3\n}\n", "", "other-meaning@-10:1"},
		{"service mine {\n  executable = imap\n}\n", "", ""},
		{"local 127.0.0.1 {\n  login_greeting = a\n}\n", "local 127.0.0.2 {\n  login_greeting = a\n}\n", ""},
	}
	for _, dialect := range dovecottest.Dialects {
		for _, tt := range tests {
			if got := strings.Join(short(several(t, dialect, tt.first, tt.second)), " "); got != tt.want {
				t.Errorf("%s: %q, %q: got %q, want %q", dialect, tt.first, tt.second, got, tt.want)
			}
		}
	}
}

// What is named and not installed is found before it is needed.
func TestAbsent(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		for override, want := range map[string]string{
			"mail_plugins = </etc/hostname\n":                                                                      "", // the names stand in it
			"mail_plugins = quota nosuch\n":                                                                        "missing-plugin@10:1",
			"mail_plugins = quota, acl,virtual\n":                                                                  "",
			"service imap {\n  executable = nosuch\n}\n":                                                           "missing-executable@10:2",
			"service imap {\n  executable = /etc/passwd\n}\n":                                                      "missing-executable@10:2",
			"service imap {\n  executable = imap -x\n  vsz_limit = 1G\n}\n":                                        "",
			"service imap {\n  executable = imap x\n}\nservice x {\n  executable = script-login -d /nosuch\n}\n":   "missing-executable@10:5",
			"service imap {\n  executable = imap x\n}\nservice x {\n  executable = script-login ../nosuch /a\n}\n": "",
			"service x {\n  executable = script-login /nosuch\n}\n":                                                "", // nothing runs it
			"service auth {\n  user = nosuch\n}\n":                                                                 "missing-user@10:2",
			"service auth {\n  unix_listener x {\n    user = nobody\n    group = nosuch\n  }\n}\n":                 "missing-group@10:4",
			"service pop3 {\n  executable = nosuch\n}\n":                                                           "", // it is off
			"default_internal_user = nosuch\n":                                                                     "missing-user@10:1",
		} {
			got := strings.Join(short(several(t, dialect, override).Faults()), " ")
			if got != want {
				t.Errorf("%s: %q: got %q, want %q", dialect, override, got, want)
			}
		}
	}
}

// A Dovecot of another build has its programs elsewhere, where it says.
func TestProgramsElsewhere(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"doveconf", "elsewhere"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho libexec_dir = "+dir+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d := &dovecot.Dovecot{Dialect: "2.4", Doveconf: filepath.Join(dir, "doveconf"), Run: func(_ context.Context, cmd *exec.Cmd) error { return cmd.Run() }}
	for program, want := range map[string]string{"elsewhere -x": "", "nowhere": dir + "/nowhere does not exist"} {
		c := Parse(config.Files{{Name: config.Main, Origin: "x", Override: true, Data: []byte("service imap {\n  executable = " + program + "\n}\nprotocols = imap\n")}}, "/g")
		found := c.absent(t.Context(), d)
		if len(found) != min(len(want), 1) || want != "" && found[0].Problem != want {
			t.Errorf("%s: %v", program, found)
		}
	}
}

// A hundred faults take no longer than some: there may be more, it says then.
func TestManyFaults(t *testing.T) {
	var override strings.Builder
	for i := range 100 {
		fmt.Fprintf(&override, "bogus%d_setting = 1\n", i)
	}
	found := several(t, "2.4", override.String())
	if n := len(found.Faults()); n < maxRounds/3 || !slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Code == finding.MoreFaults }) {
		t.Errorf("%d faults, and not a word of more", n)
	}
}
