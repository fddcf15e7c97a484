package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pidgeon/finding"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// load is Load for an environment that has to be fine.
func load(t *testing.T, environ ...string) settings.Settings {
	t.Helper()
	s, err := settings.Load(environ)
	if err != nil {
		t.Fatalf("Load(%q): %v", environ, err)
	}
	return s
}

// complaints are the faults of an environment, one per line.
func complaints(t *testing.T, environ ...string) []string {
	t.Helper()
	_, err := settings.Load(environ)
	if err == nil {
		return nil
	}
	var faults finding.List
	if !errors.As(err, &faults) {
		t.Fatalf("Load(%q) returned a %T, not findings: %v", environ, err, err)
	}
	return strings.Split(err.Error(), "\n")
}

func TestLoadDefaults(t *testing.T) {
	s := load(t)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Settings{
		Protocols:       settings.Protocols{"imap", "lmtp"},
		IMAPConcurrency: 1000, IMAPMode: sizing.Auto,
		POP3Concurrency: 100, POP3Mode: sizing.Auto,
		SubmissionConcurrency: 100, SubmissionMode: sizing.Auto,
		SieveConcurrency: 100, SieveMode: sizing.Auto,
		MaxConnectionsPerUserIP: 50,
		Role:                    "server",
		BackendTLS:              "required",
		BackendCAPath:           "/etc/ssl/certs/ca-certificates.crt",
		Auth:                    settings.Databases{"users"},
		PasswordScheme:          "CRYPT",
		LDAPFilter:              "(uid=%{user})",
		LDAPLogin:               "bind",
		LDAPStartTLS:            "no",
		SQLDriver:               "pgsql",
		SQLHost:                 "localhost",
		OAuth2IntrospectionMode: "post",
		OAuth2UserAttribute:     "username",
		CAPath:                  "/etc/ssl/certs/ca-certificates.crt",
		TLS:                     "required",
		TLSCertPath:             "/certs/tls.crt",
		TLSKeyPath:              "/certs/tls.key",
		TLSSNIDir:               "/certs",
		TLSMinProtocol:          "TLSv1.2",
		Hostname:                settings.Host(host),
		MailDir:                 "/srv/mail",
		MailFormat:              "maildir",
		Compression:             "no",
		FTS:                     "no",
		SharedFolders:           "no",
		SpamToJunk:              "no",
		MailPath:                "~/mail",
		RecipientDelimiter:      "+",
		RelayPort:               25,
		RelayTLS:                "no",
		Listen:                  settings.Addresses{"*", "::"},
		IMAPPort:                143,
		IMAPSPort:               993,
		POP3Port:                110,
		POP3SPort:               995,
		LMTPPort:                24,
		SievePort:               4190,
		SubmissionPort:          587,
		SubmissionsPort:         465,
		ProxyProtocol:           "no",
		OverridesDir:            "/overrides",
		RunDir:                  "/run/pidgeon",
		StateDir:                "/var/lib/pidgeon",
		OnInvalid:               "last-good",
		CarryOver:               "yes",
		StopGrace:               settings.Grace(8 * time.Second),
		LogLevel:                "info",
		LogFormat:               "text",
		Environ:                 map[string]string{},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("defaults:\n got %+v\nwant %+v", s, want)
	}
}

func TestLoadValues(t *testing.T) {
	tests := []struct {
		entry string
		got   func(settings.Settings) any
		want  any
	}{
		{"PROTOCOLS=SIEVE imap,\tpop3\nimap", func(s settings.Settings) any { return s.Protocols }, settings.Protocols{"imap", "pop3", "sieve"}},
		{"IMAP_CONCURRENCY=1", func(s settings.Settings) any { return s.IMAPConcurrency }, settings.Concurrency(1)},
		{"IMAP_CONCURRENCY=Auto", func(s settings.Settings) any { return s.Demand()[0] }, sizing.Protocol{Name: "imap", Auto: true, Mode: sizing.Auto}},
		{"IMAP_CONCURRENCY= 1000000 ", func(s settings.Settings) any { return s.IMAPConcurrency }, settings.Concurrency(1_000_000)},
		{"IMAP_MODE=secure", func(s settings.Settings) any { return s.IMAPMode }, sizing.Secure},
		{"SIEVE_MODE=performance", func(s settings.Settings) any { return s.SieveMode }, sizing.Performance},
		{"TLS=no", func(s settings.Settings) any { return s.TLS }, "no"},
		{"TLS_MIN_PROTOCOL=TLSv1.3", func(s settings.Settings) any { return s.TLSMinProtocol }, "TLSv1.3"},
		{"MAIL_DIR=/mail//x/../y/", func(s settings.Settings) any { return s.MailDir }, settings.Path("/mail/y")},
		{"MAIL_DIR=/a=b,c@d~e+f:g", func(s settings.Settings) any { return s.MailDir }, settings.Path("/a=b,c@d~e+f:g")},
		{"MAIL_HOSTNAME=_mail-1.example.com", func(s settings.Settings) any { return s.Hostname }, settings.Host("_mail-1.example.com")},
		{"MAIL_HOSTNAME=2001:db8::1", func(s settings.Settings) any { return s.Hostname }, settings.Host("2001:db8::1")},
		{"MAIL_FORMAT=mdbox", func(s settings.Settings) any { return s.MailFormat }, "mdbox"},
		{"MAIL_UID=2147483647", func(s settings.Settings) any { return s.MailUID }, settings.ID(2147483647)},
		{"RECIPIENT_DELIMITER=+-#%", func(s settings.Settings) any { return s.RecipientDelimiter }, settings.Delimiter("+-#%")},
		{"LISTEN=127.0.0.1 [::1],*", func(s settings.Settings) any { return s.Listen }, settings.Addresses{"127.0.0.1", "::1", "*"}},
		{"QUOTA=2g", func(s settings.Settings) any { return s.Quota }, settings.Size("2G")},
		{"QUOTA=500MB", func(s settings.Settings) any { return s.Quota }, settings.Size("500M")},
		{"MAIL_HOME=/srv/mail/%{domain}//%{username}/", func(s settings.Settings) any { return s.Home() }, settings.Layout("/srv/mail/%{domain}/%{username}")},
		{"MAIL_DIR=/mail", func(s settings.Settings) any { return s.Home() }, settings.Layout("/mail/%{user}")},
		{"MAIL_PATH=~", func(s settings.Settings) any { return s.MailPath }, settings.Layout("~/")},
		{"IMAP_PORT=0", func(s settings.Settings) any { return s.IMAPPort }, settings.Port(0)},
		{"IMAP_PORT=65535", func(s settings.Settings) any { return s.IMAPPort }, settings.Port(65535)},
		{"STOP_GRACE=0", func(s settings.Settings) any { return s.StopGrace }, settings.Grace(0)},
		{"STOP_GRACE=90", func(s settings.Settings) any { return s.StopGrace }, settings.Grace(90 * time.Second)},
		{"STOP_GRACE=1m30s", func(s settings.Settings) any { return s.StopGrace }, settings.Grace(90 * time.Second)},
		{"ON_INVALID=fail", func(s settings.Settings) any { return s.OnInvalid }, "fail"},
		{"LOG_FORMAT=json", func(s settings.Settings) any { return s.LogFormat }, "json"},
	}
	for _, tt := range tests {
		t.Run(tt.entry, func(t *testing.T) {
			if got := tt.got(load(t, tt.entry)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// An empty value means the default: Compose passes one for each variable that is
// not set.
func TestLoadEmptyMeansDefault(t *testing.T) {
	var environ []string
	for _, v := range settings.Variables() {
		environ = append(environ, v.Name+"=", v.Name+"_FILE=")
	}
	if got, want := load(t, environ...), load(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestLoadFaults(t *testing.T) {
	tests := []struct {
		name    string
		environ []string
		want    []string
	}{
		{"protocol", []string{"PROTOCOLS=imap,http"}, []string{`PROTOCOLS is "imap,http", which names "http", which is none of imap, lmtp, pop3, sieve, submission: write for example PROTOCOLS=imap,lmtp,sieve`}},
		{"network", []string{"PROXY_PROTOCOL=yes", "TRUSTED_NETWORKS=10.0.0.0/8,x"}, []string{
			`TRUSTED_NETWORKS is "10.0.0.0/8,x", which names "x", which is not a network: write for example TRUSTED_NETWORKS=10.0.0.0/8`,
		}},
		{"proxy that nobody trusts", []string{"PROXY_PROTOCOL=yes"}, []string{"TRUSTED_NETWORKS is not set, and PROXY_PROTOCOL is yes: name the addresses of the proxy: whoever has one may claim to be anybody"}},
		{"name with several addresses", []string{"ROLE=proxy", "BACKENDS=dns:10.0.0.1"}, []string{
			`BACKENDS is "dns:10.0.0.1", which has "10.0.0.1", which is not a name that DNS has several addresses for: write for example BACKENDS=mail-{0..3}.mail`,
		}},
		{"two such names", []string{"ROLE=proxy", "BACKENDS=dns:a,dns:b"}, []string{
			`BACKENDS is "dns:a,dns:b", which has "a,dns:b", which is not a name that DNS has several addresses for: write for example BACKENDS=mail-{0..3}.mail`,
		}},
		{"backend of such a name", []string{"BACKENDS=dns:mail", "BACKEND_NAME=mail-0"}, []string{
			"BACKEND_NAME is no address, and BACKENDS has dns: before a name: have it be the address of this container, or name the backends in BACKENDS",
		}},
		{"scripts for nobody", []string{"PROTOCOLS=imap", "SPAM_TO_JUNK=yes", "SIEVE_BEFORE=/a", "SIEVE_AFTER=/b"}, []string{
			"SPAM_TO_JUNK is for mail that comes in, and lmtp is off: put lmtp into PROTOCOLS, or leave it out",
			"SIEVE_BEFORE is for mail that comes in, and lmtp is off: put lmtp into PROTOCOLS, or leave it out",
			"SIEVE_AFTER is for mail that comes in, and lmtp is off: put lmtp into PROTOCOLS, or leave it out",
		}},
		{"one home for all", []string{"MAIL_HOME=/srv/mail/%{domain}"}, []string{
			`MAIL_HOME is "/srv/mail/%{domain}", which has neither %{user} nor %{username}: all users would share it: write for example MAIL_HOME=/srv/mail/%{domain}/%{username}`,
		}},
		{"home in itself", []string{"MAIL_HOME=~/x"}, []string{"MAIL_HOME begins with ~, which stands for itself: write for example MAIL_HOME=/srv/mail/%{domain}/%{username}"}},
		{"home elsewhere", []string{"MAIL_HOME=/var/mail/%{user}"}, []string{"MAIL_HOME lies outside of MAIL_DIR: set MAIL_DIR to the directory that holds all mail"}},
		{"shared home", []string{"MAIL_HOME=/srv/mail/%{username}", "USERS=a@x:a,a@y:a"}, []string{`MAIL_HOME is the same for "a@x" and "a@y": write %{user}, or %{domain} and %{username}`}},
		{"home without a domain", []string{"MAIL_HOME=/srv/mail/%{domain}/%{username}", "USERS=a:a,b@..:b"}, []string{
			`MAIL_HOME has %{domain}, and the user "a" has none: write the user with a domain, as in alice@example.com`,
			`MAIL_HOME has %{domain}, and the user "b@.." has none: write the user with a domain, as in alice@example.com`,
		}},
		{"size without a unit", []string{"QUOTA=1000"}, []string{`QUOTA is "1000", which is not a whole number with one of the units K, M, G and T: write for example QUOTA=2G`}},
		{"quota service without a quota", []string{"QUOTA_STATUS_PORT=12340"}, []string{"QUOTA_STATUS_PORT is set, and QUOTA is not: set QUOTA, or leave it out"}},
		{"quota service on a port in use", []string{"QUOTA=1G", "QUOTA_STATUS_PORT=143"}, []string{"IMAP_PORT is 143, and so is QUOTA_STATUS_PORT: give each listener its own port, or 0 to turn it off"}},
		{"no protocol", []string{"PROTOCOLS= , "}, []string{`PROTOCOLS is " , ", which names no protocol: write for example PROTOCOLS=imap,lmtp,sieve`}},
		{"no number", []string{"IMAP_CONCURRENCY=many"}, []string{`IMAP_CONCURRENCY is "many", which is not a whole number: write for example IMAP_CONCURRENCY=500`}},
		{"fraction", []string{"POP3_CONCURRENCY=1.5"}, []string{`POP3_CONCURRENCY is "1.5", which is not a whole number: write for example POP3_CONCURRENCY=100`}},
		{"zero sessions", []string{"SIEVE_CONCURRENCY=0"}, []string{`SIEVE_CONCURRENCY is "0", which is not between 1 and 1000000: write for example SIEVE_CONCURRENCY=100`}},
		{"too many sessions", []string{"IMAP_CONCURRENCY=1000001"}, []string{`IMAP_CONCURRENCY is "1000001", which is not between 1 and 1000000: write for example IMAP_CONCURRENCY=500`}},
		{"beyond integers", []string{"IMAP_CONCURRENCY=99999999999999999999"}, []string{`IMAP_CONCURRENCY is "99999999999999999999", which is not a whole number: write for example IMAP_CONCURRENCY=500`}},
		{"mode", []string{"IMAP_MODE=Secure"}, []string{`IMAP_MODE is "Secure", which is none of auto, secure, performance: write for example IMAP_MODE=performance`}},
		{"choice", []string{"TLS=off"}, []string{`TLS is "off", which is none of required, yes, no: write for example TLS=required`}},
		{"carriage return", []string{"TLS=no\r"}, []string{`TLS is "no\r", which is none of required, yes, no: write for example TLS=required`}},
		{"relative path", []string{"MAIL_DIR=mail"}, []string{`MAIL_DIR is "mail", which is not an absolute path of letters, digits and ._/@:+,=~-: write for example MAIL_DIR=/srv/mail`}},
		{"path with a variable", []string{"MAIL_DIR=/srv/%u"}, []string{`MAIL_DIR is "/srv/%u", which is not an absolute path of letters, digits and ._/@:+,=~-: write for example MAIL_DIR=/srv/mail`}},
		{"path with a line end", []string{"MAIL_DIR=/srv\n"}, []string{`MAIL_DIR is "/srv\n", which is not an absolute path of letters, digits and ._/@:+,=~-: write for example MAIL_DIR=/srv/mail`}},
		{"host", []string{"MAIL_HOSTNAME=a b"}, []string{`MAIL_HOSTNAME is "a b", which is not a host name: write for example MAIL_HOSTNAME=mail.example.com`}},
		{"root's mail", []string{"MAIL_UID=0"}, []string{`MAIL_UID is "0", which is not between 1 and 2147483647: write for example MAIL_UID=5000`}},
		{"delimiter", []string{"RECIPIENT_DELIMITER=a"}, []string{`RECIPIENT_DELIMITER is "a", which is not made of punctuation that a mail address may hold: write for example RECIPIENT_DELIMITER=+`}},
		{"delimiter with a quote", []string{`RECIPIENT_DELIMITER="`}, []string{`RECIPIENT_DELIMITER is "\"", which is not made of punctuation that a mail address may hold: write for example RECIPIENT_DELIMITER=+`}},
		{"address", []string{"LISTEN=localhost"}, []string{`LISTEN is "localhost", which names "localhost", which is not an IP address: write for example LISTEN=127.0.0.1`}},
		{"no address", []string{"LISTEN=,"}, []string{`LISTEN is ",", which names no address: write for example LISTEN=127.0.0.1`}},
		{"port", []string{"IMAP_PORT=65536"}, []string{`IMAP_PORT is "65536", which is not between 0 and 65535: write for example IMAP_PORT=1143`}},
		{"negative port", []string{"IMAP_PORT=-1"}, []string{`IMAP_PORT is "-1", which is not between 0 and 65535: write for example IMAP_PORT=1143`}},
		{"duration", []string{"STOP_GRACE=soon"}, []string{`STOP_GRACE is "soon", which is not a duration between 0s and 1h: write for example STOP_GRACE=8s`}},
		{"long duration", []string{"STOP_GRACE=3601"}, []string{`STOP_GRACE is "3601", which is not a duration between 0s and 1h: write for example STOP_GRACE=8s`}},
		{"negative duration", []string{"STOP_GRACE=-1s"}, []string{`STOP_GRACE is "-1s", which is not a duration between 0s and 1h: write for example STOP_GRACE=8s`}},
		{"a long value is shortened", []string{"LOG_LEVEL=" + strings.Repeat("x", 100)}, []string{`LOG_LEVEL is "` + strings.Repeat("x", 57) + `…", which is none of debug, info, warn, error: write for example LOG_LEVEL=debug`}},

		{"submission without a relay", []string{"PROTOCOLS=submission"}, []string{`RELAY_HOST is not set, and submission is on: name the host that takes the mail, or take submission out of PROTOCOLS`}},
		{"the metrics' port twice", []string{"METRICS_PORT=143"}, []string{`METRICS_PORT is 143, and so is IMAP_PORT: give each listener its own port, or 0 to turn it off`}},
		{"a port twice", []string{"IMAP_PORT=993"}, []string{`IMAPS_PORT is 993, and so is IMAP_PORT: give each listener its own port, or 0 to turn it off`}},
		{"a port three times", []string{"IMAP_PORT=24", "IMAPS_PORT=24"}, []string{
			`IMAPS_PORT is 24, and so is IMAP_PORT: give each listener its own port, or 0 to turn it off`,
			`LMTP_PORT is 24, and so is IMAPS_PORT: give each listener its own port, or 0 to turn it off`,
		}},
		{"a port of a protocol that is off", []string{"POP3_PORT=143"}, nil},
		{"two listeners off", []string{"IMAP_PORT=0", "IMAPS_PORT=0"}, nil},
		{"a faulty port is not compared", []string{"IMAP_PORT=x", "IMAPS_PORT=0"}, []string{`IMAP_PORT is "x", which is not a whole number: write for example IMAP_PORT=1143`}},

		{"misspelt", []string{"IMAP_CONCURENCY=5"}, []string{`IMAP_CONCURENCY is not a variable of pidgeon: did you mean IMAP_CONCURRENCY?`}},
		{"lower case", []string{"imap_concurrency=5"}, []string{`imap_concurrency is not a variable of pidgeon: did you mean IMAP_CONCURRENCY?`}},
		{"misspelt file", []string{"USER_FILE=/x"}, []string{`USER_FILE is not a variable of pidgeon: did you mean USERS_FILE?`}},
		{"a short name is one letter off at most", []string{"LISTNER=*", "TLSX=no"}, []string{`TLSX is not a variable of pidgeon: did you mean TLS?`}},

		{"one directory in another", []string{"STATE_DIR=/srv/mail/state", "RUN_DIR=/x"}, []string{`STATE_DIR lies in MAIL_DIR: give each a directory of its own, or mail may be lost`}},
		{"one directory for two", []string{"STATE_DIR=/srv/x/", "RUN_DIR=/srv/x"}, []string{`STATE_DIR lies in RUN_DIR: give each a directory of its own, or mail may be lost`}},
		{"directories side by side", []string{"STATE_DIR=/srv/x-state", "RUN_DIR=/srv/x"}, nil},

		{"all at once: unknown names, then the order of the table", []string{
			"LOG_FORMAT=xml", "STOP_GRACE=x", "IMAP_PORT=x", "USERS=broken", "PROTOCOLS=ftp", "MAIL_DIR=x", "TLS_CERT_PATH_FILE=/nonexistent", "IMAP_MOD=secure",
		}, []string{
			`IMAP_MOD is not a variable of pidgeon: did you mean IMAP_MODE?`,
			`PROTOCOLS is "ftp", which names "ftp", which is none of imap, lmtp, pop3, sieve, submission: write for example PROTOCOLS=imap,lmtp,sieve`,
			`USERS entry 1 has no colon between name and password (a password with a comma needs one user per line): write for example USERS=alice:secret,bob:{SHA512-CRYPT}$6$salt$hash`,
			`TLS_CERT_PATH_FILE reading "/nonexistent": no such file or directory: name a readable file`,
			`MAIL_DIR is "x", which is not an absolute path of letters, digits and ._/@:+,=~-: write for example MAIL_DIR=/srv/mail`,
			`IMAP_PORT is "x", which is not a whole number: write for example IMAP_PORT=1143`,
			`STOP_GRACE is "x", which is not a duration between 0s and 1h: write for example STOP_GRACE=8s`,
			`LOG_FORMAT is "xml", which is none of text, json: write for example LOG_FORMAT=json`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := complaints(t, tt.environ...)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// What belongs to shells, engines and other programs is none of our business.
func TestLoadForeignNames(t *testing.T) {
	environ := []string{
		"PATH=/bin", "HOME=/root", "USER=root", "MAIL=/var/mail/root", "LOGNAME=root", "HOSTNAME=abc", "TERM=xterm", "TZ=UTC",
		"SHLVL=1", "PWD=/", "OLDPWD=/", "_=/usr/bin/env", "LANG=C.UTF-8", "LC_ALL=C", "container=docker", "GODEBUG=x",
		"KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_PORT=tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443",
		"NOTIFY_SOCKET=/run/x", "MYSQL_PORT=3306", "POSTGRES_PASSWORD=x", "SMARTHOST=x", "HTTP_PROXY=x", "no_proxy=x", "EMPTY=", "=C:=x", "novalue",
	}
	s := load(t, environ...)
	if got := s.Environ["HTTP_PROXY"]; got != "x" {
		t.Errorf("Environ[HTTP_PROXY] = %q, want x: templates may use it", got)
	}
	if len(s.Notes) > 0 {
		t.Errorf("notes: %q", s.Notes)
	}
}

// Kubernetes injects these for each Service of the namespace; nobody chose them.
func TestLoadServiceLinks(t *testing.T) {
	s := load(t,
		"IMAP_PORT=tcp://10.0.0.1:143", "IMAP_SERVICE_HOST=10.0.0.1", "IMAP_SERVICE_PORT=143", "IMAP_SERVICE_PORT_IMAP=143",
		"IMAP_PORT_143_TCP=tcp://10.0.0.1:143", "IMAP_PORT_143_TCP_PROTO=tcp", "IMAP_PORT_143_TCP_PORT=143", "IMAP_PORT_143_TCP_ADDR=10.0.0.1",
		"LMTP_PORT=udp://10.0.0.1:24")
	if s.IMAPPort != 143 || s.LMTPPort != 24 {
		t.Errorf("ports are %d and %d, want the defaults", s.IMAPPort, s.LMTPPort)
	}
	want := []string{
		"IMAP_PORT=tcp://10.0.0.1:143 is a Kubernetes service link and is ignored: set enableServiceLinks: false in the pod",
		"LMTP_PORT=udp://10.0.0.1:24 is a Kubernetes service link and is ignored: set enableServiceLinks: false in the pod",
	}
	if !slices.Equal(s.Notes, want) {
		t.Errorf("notes:\n%s\nwant:\n%s", strings.Join(s.Notes, "\n"), strings.Join(want, "\n"))
	}
}

// A Service beside us may have a name that is nearly one of ours.
func TestLoadServiceLinksOfOthers(t *testing.T) {
	for _, entry := range []string{"SMTP_PORT=tcp://10.0.0.2:25", "LDAP_PORT=tcp://10.0.0.3:389", "HTTP_PORT=tcp://10.0.0.4:80"} {
		if got := complaints(t, entry); got != nil {
			t.Errorf("%s: %s", entry, strings.Join(got, "\n"))
		}
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fifo, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	large := write("large", "")
	if err := os.Truncate(large, 16<<20+1); err != nil {
		t.Fatal(err)
	}
	one := write("one", "no\n")

	t.Run("value", func(t *testing.T) {
		for text, want := range map[string]string{"no": "no", "no\n": "no", "": "required", "\n": "required"} {
			s := load(t, "TLS_FILE="+write("tls", text))
			if s.TLS != want {
				t.Errorf("a file holding %q gives %q, want %q", text, s.TLS, want)
			}
		}
	})
	t.Run("followed", func(t *testing.T) {
		s := load(t, "LOG_LEVEL_FILE="+write("level", "debug\n"), "TLS_FILE="+one)
		if want := []string{one, filepath.Join(dir, "level")}; !slices.Equal(s.Files, want) {
			t.Errorf("Files = %q, want %q", s.Files, want)
		}
		if got := s.Environ["TLS"]; got != "no" {
			t.Errorf("templates see TLS = %q, want no", got)
		}
	})

	faults := []struct {
		name    string
		environ []string
		want    string
	}{
		{"two line ends", []string{"TLS_FILE=" + write("two", "no\n\n")}, `TLS is "no\n", which is none of required, yes, no: write for example TLS=required`},
		{"CRLF", []string{"TLS_FILE=" + write("crlf", "no\r\n")}, `TLS is "no\r", which is none of required, yes, no: write for example TLS=required`},
		{"both", []string{"TLS_FILE=" + one, "TLS=yes"}, `TLS is set, and so is TLS_FILE: unset one of them`},
		{"missing", []string{"TLS_FILE=" + dir + "/none"}, `TLS_FILE reading "` + dir + `/none": no such file or directory: name a readable file`},
		{"directory", []string{"TLS_FILE=" + dir}, `TLS_FILE reading "` + dir + `": not a regular file: name a readable file`},
		{"FIFO", []string{"TLS_FILE=" + fifo}, `TLS_FILE reading "` + fifo + `": not a regular file: name a readable file`},
		{"link to a FIFO", []string{"TLS_FILE=" + dir + "/link"}, `TLS_FILE reading "` + dir + `/link": not a regular file: name a readable file`},
		{"device", []string{"TLS_FILE=/dev/zero"}, `TLS_FILE reading "/dev/zero": not a regular file: name a readable file`},
		{"too large", []string{"TLS_FILE=" + large}, `TLS_FILE reading "` + large + `": larger than 16 MiB: name a readable file`},
		{"a file in a file", []string{"TLS_FILE=" + one + "/x"}, `TLS_FILE reading "` + one + `/x": not a directory: name a readable file`},
		{"file of a file", []string{"TLS_FILE_FILE=" + one}, ``},
	}
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(complaints(t, tt.environ...), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A log is read by more people than may know a password.
func TestLoadKeepsSecrets(t *testing.T) {
	const secret = "s3cr3t-passw0rd"
	dir := t.TempDir()
	file := filepath.Join(dir, "users")
	if err := os.WriteFile(file, []byte("alice:"+secret+"\nalice:"+secret+"\nbob"+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, environ := range [][]string{
		{"USERS=" + secret},
		{"USERS=alice:" + secret + ",alice:" + secret},
		{"USERS=al ice:" + secret},
		{"USERS=alice:{SHA512-CRYPT}" + secret + " x"},
		{"USERS=alice:" + secret + "\x00"},
		{"USERS=alice:" + secret, "USERS_FILE=" + file},
		{"USERS_FILE=" + file},
		{"USER_S=alice:" + secret},
		{"USERS=alice:" + secret, "TLS=x"},
		{"USERS=tcp://" + secret, "TLS=x"},
	} {
		s, err := settings.Load(environ)
		if err == nil && s.Notes == nil {
			t.Errorf("%.12q is accepted; the case shows nothing", environ)
			continue
		}
		said := strings.Join(s.Notes, "\n")
		if err != nil {
			said += err.Error()
		}
		if strings.Contains(said, secret) {
			t.Errorf("the secret is repeated: %s", said)
		}
	}
}
