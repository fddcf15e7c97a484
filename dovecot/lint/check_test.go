package lint

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/tests/dovecottest"
	"pidgeon/tests/pidgeontest"
)

const (
	mine      = dovecottest.Override
	rename    = ": correct its name, or remove the line"
	closeIt   = ": close the section that begins here with a } on a line of its own"
	ownLine   = ": write the {, each setting and the } on a line of its own"
	wholePath = ": mount the file, or correct the path"
	noText    = ": this is not a text file: remove it, or save it as UTF-8"
	hasNUL    = ": the line holds a NUL byte, at which Dovecot stops reading it" + noText
	noFile    = ": No such file or directory: mount the file, or correct the path"
	protocols = ": set PROTOCOLS to some of imap, pop3, lmtp, sieve and submission"
	tooLow    = ": raise it to the number that is required, or leave it out: pidgeon sizes it"
	noSection = ": write setting = value, or name { … }"
)

// TestCheck gives the real doveconf what people mount. want2 and want4 are what
// has to be said on 2.3 and on 2.4; want is for both.
func TestCheck(t *testing.T) {
	tests := []struct {
		name, override     string
		want, want2, want4 string
	}{
		{name: "fine", override: "mail_max_userip_connections = 11\n"},
		{name: "empty", override: ""},
		{name: "no line end", override: "login_greeting = hello"},
		{name: "CRLF", override: "login_greeting = hello\r\nservice imap {\r\n}\r\n"},
		{name: "Latin-1 in a value", override: "login_greeting = gr\xfc\xdfe\n"},
		{name: "a backslash and a comment at the end", override: "login_greeting = a\\b\n# c \\\n"},
		{
			name: "a backslash at the end", override: "login_greeting = a\nlogin_greeting = b \\\n",
			want: mine + ":2: the last line ends with a backslash, which joins it with what follows the file: remove the backslash",
		},
		{name: "missing include_try", override: "!include_try nothing.conf\n"},

		{
			name: "a chroot without users", override: "service auth {\n  chroot = /tmp\n}\n",
			want: mine + ":2: auth sees nothing outside of /tmp, and so no file with users: leave the chroot of this service out",
		},
		{
			name: "no special use", override: "namespace x {\n  prefix = x/\n  mailbox Trash {\n    special_use = Trash\n  }\n}\n",
			want2: mine + ":4: mailbox Trash: unknown special_use: Trash",
			want4: "warning: " + mine + ":4: mailbox Trash: special_use label Trash is not an RFC-defined label - allowing anyway",
		},
		{
			name: "a chroot that counts for nothing", override: "service imap {\n  chroot = /nowhere\n}\n",
			want: "warning: " + mine + ":2: Dovecot does not look at the chroot of the service imap: set mail_chroot for all users, or chroot in the user database",
		},

		{
			name: "unknown setting", override: "\nbogus = 1\n",
			want: mine + ":2: Unknown setting: bogus" + rename,
		},
		{
			name: "unknown setting in a section", override: "service imap-login {\n  bogus = 1\n}\n",
			want: mine + ":2: Unknown setting: bogus" + rename,
		},
		{
			name: "unknown section", override: "servce imap-login {\n}\n",
			want: mine + ":1: Unknown setting: servce: did you mean service?",
		},
		{
			name: "Latin-1 in a name", override: "gr\xfc\xdfe = 1\n",
			want: mine + `:1: Unknown setting: gr\xfc\xdfe` + rename,
		},
		{name: "unclosed section", override: "service imap-login {\n  process_limit = 200\n", want: mine + ":1: Missing '}'" + closeIt},
		{name: "unclosed section within one", override: "\nservice imap-login {\n  inet_listener imap {\n    port = 1\n}\n", want: mine + ":2: Missing '}'" + closeIt},
		{name: "a } too many", override: "service imap-login {\n}\n}\n", want: mine + ":3: Unexpected '}': remove it, or open its section with {"},
		{name: "section on one line", override: "service imap-login { process_limit = 200 }\n", want: mine + ":1: Garbage after '{'" + ownLine},
		{name: "no value", override: "shutdown_clients\n", want: mine + ":1: Expecting '{'" + noSection},
		{
			name: "no number", override: "service imap-login {\n  process_limit = many\n}\n",
			want2: mine + ":2: Invalid number many: Not a valid number",
			want4: mine + ":2: process_limit: Invalid number many: Not a valid number",
		},
		{
			name: "number too large", override: "service imap {\n  process_limit = 104857600000\n}\n",
			want2: mine + ":2: Invalid number 104857600000: Number too large",
			want4: mine + ":2: process_limit: Invalid number 104857600000: Number too large",
		},
		{
			name: "no boolean", override: "\n\nshutdown_clients = perhaps\n",
			want2: mine + ":3: Invalid boolean value: perhaps (use yes or no)",
			want4: mine + ":3: shutdown_clients: Invalid boolean value: perhaps (use yes or no)",
		},
		{
			name: "byte-order mark", override: "\ufeffshutdown_clients = no\n",
			want: mine + ":1: the file begins with a byte-order mark, which Dovecot takes for part of the first setting's name: save it as UTF-8 without a byte-order mark",
		},
		{name: "missing include", override: "\n!include nothing.conf\n", want: mine + ":2: No matches" + wholePath},
		{name: "include of itself", override: "!include 10-x.conf\n", want: mine + ":1: Recursive include file: " + mine},
		{
			name: "missing certificate of 2.3", override: "ssl = yes\nssl_cert = </nonexistent.crt\nssl_key = </nonexistent.key\n",
			want2: mine + ":2: ssl_cert: Can't open file /nonexistent.crt" + noFile + "\n" + mine + ":3: ssl_key: Can't open file /nonexistent.key" + noFile,
			want4: mine + ":2: Unknown setting: ssl_cert: in Dovecot 2.4 it is ssl_server_cert_file: the path without <\n" +
				mine + ":3: Unknown setting: ssl_key: in Dovecot 2.4 it is ssl_server_key_file: the path without <",
		},
		{
			name: "missing certificate of 2.4", override: "ssl = yes\nssl_server_cert_file = /nonexistent.crt\nssl_server_key_file = /nonexistent.key\n",
			want2: mine + ":2: Unknown setting: ssl_server_cert_file: this is Dovecot 2.3, where it is ssl_cert\n" +
				mine + ":3: Unknown setting: ssl_server_key_file: this is Dovecot 2.3, where it is ssl_key",
			want4: mine + ":2: ssl_server_cert_file: open(/nonexistent.crt) failed" + noFile + "\n" + mine + ":3: ssl_server_key_file: open(/nonexistent.key) failed" + noFile,
		},
		{
			name: "nobody's mail", override: "mail_uid = nosuchuser\nmail_gid = nosuchgroup\nmail_home = relative\nmail_chroot = /no/such\n",
			want: mine + ":1: the user nosuchuser does not exist: name one that /etc/passwd in the image has\n" +
				mine + ":2: the group nosuchgroup does not exist: name one that /etc/group in the image has\n" +
				mine + ":3: mail_home is no whole path: no login gets through: begin it with a /\n" +
				mine + ":4: /no/such does not exist: no login gets through: correct the path, or make the directory",
		},
		{name: "a home beside a user database", override: "mail_home = ~\nuserdb own {\n  driver = passwd\n}\n"},
		{name: "somebody's mail", override: "mail_uid = 5000\nmail_gid = mail\nmail_home = /srv/mail/x\nmail_chroot = /srv\n"},
		{
			name: "service_count", override: "service imap-login {\n  service_count = 0\n}\n",
			want4: mine + ":2: Unknown setting: service_count: in Dovecot 2.4 it is restart_request_count: 0 is written unlimited now",
		},
		{
			name: "restart_request_count", override: "service imap-login {\n  restart_request_count = unlimited\n}\n",
			want2: mine + ":2: Unknown setting: restart_request_count: this is Dovecot 2.3, where it is service_count",
		},
		{
			name: "restart_request_count zero", override: "service imap-login {\n  restart_request_count = 0\n}\n",
			want2: mine + ":2: Unknown setting: restart_request_count: this is Dovecot 2.3, where it is service_count",
			want4: mine + `:2: service(imap-login): restart_request_count must be higher than 0 (did you mean "unlimited"?): write restart_request_count = unlimited for what 2.3 called service_count = 0`,
		},
		{
			name: "process_limit zero", override: "service imap-login {\n  process_limit = 0\n}\n",
			want4: mine + ":2: service(imap-login): process_limit must be higher than 0: leave it out for the default, or write a number",
			want2: "warning: " + mine + ":2: process_limit = 0 stands for default_process_limit: write the number that is meant",
		},
		{
			name: "process_limit zero before another service's", override: "service imap-login {\n  process_limit = 0\n}\nservice imap {\n  process_limit = 5\n}\n",
			want4: mine + ":2: service(imap-login): process_limit must be higher than 0: leave it out for the default, or write a number",
			want2: "warning: " + mine + ":2: process_limit = 0 stands for default_process_limit: write the number that is meant",
		},
		{
			name: "a port twice", override: "service auth {\n  inet_listener a {\n    port = 12345\n  }\n  inet_listener b {\n    port = 12345\n  }\n}\n",
			want2: mine + ":6: duplicate listener: 12345:: give one of the two listeners another port",
			want4: mine + ":6: duplicate listener: 12345:*: give one of the two listeners another port",
		},
		{name: "unknown protocol", override: "\nprotocols = imap http\n", want: mine + ":2: protocols: Unknown protocol: http" + protocols},
		{
			name: "unknown protocol in a list", override: "protocols {\n  http = yes\n}\n",
			want2: mine + ":1: Unknown setting: protocols { }: this is Dovecot 2.3, where it is a list: protocols = name name …",
			want4: mine + ":1: protocols: Unknown protocol: http" + protocols,
		},
		{
			name: "mail_location", override: "mail_location = maildir:~/x\n",
			want4: mine + ":1: Unknown setting: mail_location: in Dovecot 2.4 it is mail_driver, mail_path: maildir:~/Maildir:INDEX=~/index becomes mail_driver = maildir, mail_path = ~/Maildir, mail_index_path = ~/index",
		},
		{
			name: "plugin", override: "plugin {\n  a = b\n}\n",
			want4: mine + ":1: Unknown setting: plugin: in Dovecot 2.4 it is gone: what stands in it is global now, mostly under a new name",
		},
		{
			name: "what plugins know", override: "plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1G\n}\n",
			want4: mine + ":1: Unknown setting: plugin: in Dovecot 2.4 it is gone: what stands in it is global now, mostly under a new name\n" +
				mine + ":2: Unknown setting: quota: in Dovecot 2.4 it stands outside of plugin { }: write quota NAME { driver = count }\n" +
				mine + ":3: Unknown setting: quota_rule: in Dovecot 2.4 it is quota_storage_size, quota_message_count: *:storage=1G becomes quota_storage_size = 1G",
		},
		{
			name: "what plugins of 2.4 know", override: "mail_plugins {\n  quota = yes\n}\nquota one {\n  driver = count\n}\n",
			want2: mine + ":1: Unknown setting: mail_plugins { }: this is Dovecot 2.3, where it is a list: mail_plugins = name name …\n" +
				mine + ":4: Unknown setting: quota: this is Dovecot 2.3, where it is quota in plugin { }",
		},
		{name: "NUL byte", override: "\nlogin_greeting = a\x00x\n", want: mine + ":2" + hasNUL},
		{name: "NUL byte and more", override: "a\n\nlogin_greeting = a\x00x\n", want: mine + ":1: Expecting '{'" + noSection + "\n" + mine + ":3" + hasNUL},
		{
			name: "version", override: "dovecot_config_version = 2.4.1\n",
			want2: mine + ":1: Unknown setting: dovecot_config_version: this is Dovecot 2.3, where it is not known: leave it out",
			want4: mine + ":1: dovecot_config_version value can't be changed once set: leave it out: pidgeon sets it; or, for a whole configuration, set DOVECOT_CONF=FILE",
		},
		{
			name: "global setting after a filter", override: "protocol imap {\n  mail_max_userip_connections = 5\n}\nmail_max_userip_connections = 6\n",
			want: "warning: " + mine + ":4: Global setting mail_max_userip_connections won't change the setting inside an earlier filter at " + mine +
				" line 2 (if this is intentional, avoid this warning by moving the global setting before " + mine + " line 2): set it inside the filter too",
		},
		{
			name: "limit that others outgrow", override: "service auth {\n  client_limit = 10\n}\n",
			want2: "warning: service auth { client_limit=10 } is lower than required under max. load (312). Counted for protocol services with service_count != 1: service lmtp { process_limit=100 } + service imap-urlauth-login { process_limit=100 } + service imap-login { process_limit=112 }" + tooLow,
			want4: "warning: service auth { client_limit=10 } is lower than required under max. load (312). Counted for protocol services with restart_request_count != 1: service imap-login { process_limit=112 } + service imap-urlauth-login { process_limit=100 } + service lmtp { process_limit=100 }" + tooLow,
		},
		{
			// doveconf adds that it could write a new configuration, to people who
			// have no use for one.
			name: "obsolete setting", override: "listen = 127.0.0.1:143\n",
			want2: "warning: " + mine + ":1: listen=..:port has been replaced by service { inet_listener { port } }",
		},
	}
	for _, dialect := range dovecottest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					want := said(t, dialect, tt.want+map[string]string{"2.3": tt.want2, "2.4": tt.want4}[dialect])
					if got := strings.Join(check(t, dialect, tt.override), "\n"); got != want {
						t.Errorf("got:\n%s\nwant:\n%s", got, want)
					}
				})
			}
		})
	}
}

var tellsWhatItCounted = regexp.MustCompile(`\. Counted for protocol services .* }`)

// said is what 2.3.19 or 2.4.1 says in the words of the Dovecot that is asked: 2.3.13
// does not tell what it counted, and 2.4.5 says greater for higher.
func said(t *testing.T, dialect, want string) string {
	switch pidgeontest.Version(dovecottest.NeedRootfs(t, dialect)) {
	case "2.3.13":
		return tellsWhatItCounted.ReplaceAllString(want, "")
	case "2.4.5":
		return strings.ReplaceAll(want, "must be higher than", "must be greater than")
	}
	return want
}

// A file of ours that is at fault is named by what the operator knows of it.
func TestCheckNamesTheTemplate(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		dir := t.TempDir()
		dovecottest.Configuration(t, dialect, dir, "")
		bad := dovecottest.Fixture(dialect, "two-protocols.conf") + "bogus = 1\n"
		files := config.Files{{Name: "conf.d/10-base.conf", Origin: "template 10-base.conf", Data: []byte(bad)}}
		dovecottest.Write(t, dir, "conf.d/10-base.conf", bad)
		found, err := Check(t.Context(), dovecottest.Installed(t, dialect, dir), dovecottest.Main, Parse(files, dovecottest.Here))
		if err != nil || len(found) != 1 || !strings.HasPrefix(found[0].Place(), "template 10-base.conf:") {
			t.Errorf("%s: %v, %v", dialect, found, err)
		}
	}
}

// doveconf 2.4.1 panics at a variable that does not end. Whatever it says then,
// it has not accepted the configuration.
func TestCheckDoveconfPanics(t *testing.T) {
	dir := t.TempDir()
	files := dovecottest.Configuration(t, "2.4", dir, "recipient_delimiter = \"%{\"\n")
	found, err := Check(t.Context(), dovecottest.Installed(t, "2.4", dir), dovecottest.Main, Parse(files, dovecottest.Here))
	if err == nil && len(found.Faults()) == 0 {
		t.Errorf("the configuration passes: %v", found)
	}
}

// A complaint about a database is about the line that asks it, and none is about a value that
// is a part of another word.
func TestLogComplaintsPlace(t *testing.T) {
	text := "passdb {\n  driver = sql\n}\npassdb {\n  driver = ldap\n  args = /etc/mymbox\n}\n" +
		"passdb sql {\n}\nmail_location = mbox:~/mail\nmail_attribute_dict = file:x\nsieve_script x {\n  driver = file\n}\n" +
		"namespace x {\n  location = maildir:/srv/boxes/%u\n}\n"
	c := Parse(config.Files{{Name: "x.conf", Origin: mine, Override: true, Data: []byte(text)}}, "/g")
	for complaint, want := range map[string]string{
		"auth: Error: ldap(/etc/mymbox): Can't connect to server":                       mine + ":6",
		"auth-worker(7): Error: mysql(x): Connect failed to database (mail): No file x": mine + ":2",
		"imap: Error: open(/srv/xmbox) failed":                                          "",
		"imap: Error: Unknown mail storage driver mbox":                                 mine + ":10",
		"imap: Error: mkdir(/srv/boxes/alice) failed: Permission denied":                mine + ":16",
	} {
		if found := c.LogComplaints(complaint); len(found) != 1 || found[0].Place() != want {
			t.Errorf("%s: got %v, want %s", complaint, found, want)
		}
	}
}

// A limit that is too low is nothing to leave out where no override has set it.
func TestCheckLimitOfOurs(t *testing.T) {
	for override, want := range map[string]string{
		"service auth {\n  client_limit = 9\n}\n":           "leave it out",
		"service imap-login {\n  client_limit = 25000\n}\n": "ulimit -n",
	} {
		c := Parse(config.Files{{Name: "x.conf", Origin: mine, Override: true, Data: []byte(override)}}, "/g")
		if f := c.placed(t.Context(), &dovecot.Dovecot{}, dovecot.Complaint{Problem: "service auth { client_limit=9 } is lower than required under max. load (99)"}); !strings.Contains(f.Hint, want) {
			t.Errorf("%q: %v", override, f)
		}
	}
}

// fake is a Dovecot whose doveconf prints and ends as it is told to.
func fake(out, complaint string, err error) *dovecot.Dovecot {
	return &dovecot.Dovecot{Dialect: "2.4", Run: func(_ context.Context, cmd *exec.Cmd) error {
		for writer, text := range map[any]string{cmd.Stdout: out, cmd.Stderr: complaint} {
			if b, ok := writer.(*bytes.Buffer); ok {
				b.WriteString(text)
			}
		}
		return err
	}}
}

func TestCheckDoveconfEnds(t *testing.T) {
	ended := errors.New("signal: killed")
	if _, err := Check(t.Context(), fake("", "", ended), dovecottest.Main, Parse(nil, "")); err == nil || err.Error() != "checking with doveconf: signal: killed" {
		t.Errorf("without a word: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time"))
	if _, err := Check(ctx, fake("", "doveconf: Fatal: x", ended), dovecottest.Main, Parse(nil, "")); err == nil || err.Error() != "checking with doveconf: no time" {
		t.Errorf("after its time: %v", err)
	}
	found, err := Check(t.Context(), fake("", "doveconf: Warning: x\n", ended), dovecottest.Main, Parse(nil, ""))
	if err == nil && len(found.Faults()) == 0 {
		t.Errorf("it ended with an error and one warning, and the configuration passes: %v", found)
	}
}

// What doveconf says several times is one finding.
func TestCheckSaysItOnce(t *testing.T) {
	said := "doveconf: Fatal: Error in configuration file /g/x.conf line 3: bad\n" +
		"doveconf: Error: managesieve-login: dump-capability process returned 89\n" +
		"doveconf: Fatal: Error in configuration file /g/x.conf line 3: bad\n" +
		"doveconf: Warning: a\ndoveconf: Warning: b\ndoveconf: Warning: a\n"
	found, err := Check(t.Context(), fake("", said, nil), dovecottest.Main, Parse(config.Files{{Name: "x.conf", Origin: "/o/x.conf"}}, "/g"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.Error())
	}
	if want := []string{"/o/x.conf:3: bad", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// check is what a dialect finds wrong with an override: faults, and remarks with
// a "warning: " before them.
func check(t testing.TB, dialect, override string) []string {
	t.Helper()
	dir := t.TempDir()
	files := dovecottest.Configuration(t, dialect, dir, override)
	found, err := Check(t.Context(), dovecottest.Installed(t, dialect, dir), dovecottest.Main, Parse(files, dovecottest.Here))
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
