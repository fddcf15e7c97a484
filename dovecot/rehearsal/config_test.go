package rehearsal

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"pidgeon/finding"
	"pidgeon/tests/dovecottest"
)

// TestRehearsalKeepsAway rehearses beside what a live Dovecot would hold: its
// port, its sockets, and its users' mail.
func TestRehearsalKeepsAway(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		busy, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer busy.Close()
		live, err := net.Listen("unix", filepath.Join(h.Dir, "auth-live"))
		if err != nil {
			t.Fatal(err)
		}
		defer live.Close()
		override := fmt.Sprintf("service imap-login {\n  inet_listener extra {\n    port = %d\n  }\n}\n", busy.Addr().(*net.TCPAddr).Port) +
			"service auth {\n  unix_listener @/auth-live {\n    mode = 0666\n  }\n}\n"
		mail := map[string]string{
			"2.3": "mail_location = maildir:@/real/%u:INDEX=@/real/index/%u\n",
			"2.4": "mail_path = @/real/%{user}\nmail_index_path = @/real/index/%{user}\n",
		}
		h.mustPass(override + mail[h.Dialect])
		if _, err := os.Stat(filepath.Join(h.Dir, "real")); !os.IsNotExist(err) {
			t.Errorf("the rehearsal touched real mail: %v", err)
		}
		if conn, err := net.Dial("unix", filepath.Join(h.Dir, "auth-live")); err != nil {
			t.Errorf("the rehearsal took the live socket away: %v", err)
		} else {
			conn.Close()
		}
		if left, _ := filepath.Glob(h.Dir + "/auth-live*"); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// TestRehearsalSilencesAnyName rehearses beside listeners and a socket that have odd
// names, or none, as 2.3 allows.
func TestRehearsalSilencesAnyName(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		socket, err := net.Listen("unix", filepath.Join(h.Dir, "a b"))
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		const begin, end = "service auth {\n", "}\n"
		listener := func(name string) string {
			busy, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { busy.Close() })
			return fmt.Sprintf("  inet_listener%s {\n    port = %d\n  }\n", name, busy.Addr().(*net.TCPAddr).Port)
		}
		override := begin + "  unix_listener \"@/a b\" {\n    mode = 0666\n  }\n" + listener(` "a b"`) + listener(" a/b") + listener(` a\b`) + end
		if h.Dialect == "2.3" {
			override += begin + listener("") + end + "passdb {\n  driver = passwd-file\n  args = /no/such\n}\n" + begin + listener("") + end
		}
		h.mustPass(override)
		p := private{Rehearsal: h.candidate(override), dialect: h.Dialect, password: "x"}
		conf := filepath.Join(h.Dir, "rehearsal.conf")
		if err := p.write(filepath.Join(h.Dir, "dovecot.conf"), conf); err != nil {
			t.Fatal(err)
		}
		dump, err := h.Dovecot.Dump(t.Context(), conf, false)
		// doveconf 2.3 prints a listener that is called 0 in odd places: the text counts.
		if open := regexp.MustCompile(`\bport = [1-9].*`).FindString(dump); err != nil || open != "" {
			t.Errorf("listens: %s (%v)", open, err)
		}
		if conn, err := net.Dial("unix", filepath.Join(h.Dir, "a b")); err != nil {
			t.Errorf("the rehearsal took the live socket away: %v", err)
		} else {
			conn.Close()
		}
	})
}

// TestRehearsalAsksNoBackend logs its user in though the operator's database
// answers nobody.
func TestRehearsalAsksNoBackend(t *testing.T) {
	overrides := map[string]string{
		"2.3": "passdb {\n  driver = passwd-file\n  args = /no/such\n}\nauth_username_chars = xyz\nauth_ssl_require_client_cert = yes\nssl_verify_client_cert = yes\nssl_ca = <@/tls.crt\n",
		"2.4": "passdb more {\n  driver = passwd-file\n  passwd_file_path = /no/such\n}\nauth_username_chars = xyz\nauth_ssl_require_client_cert = yes\nssl_server_request_client_cert = yes\nssl_server_ca_file = @/tls.crt\n",
	}
	onEach(t, func(t *testing.T, h host) { h.mustPass(overrides[h.Dialect]) })
}

// A database that is down says nothing of the candidate: each time the same warning,
// whether auth lives on (2.4.1) or ends with signal 11 (2.3.19, with PostgreSQL).
func TestRehearsalWithBackendDown(t *testing.T) {
	overrides := map[string][]string{
		"2.3": {"log_timestamp = \"%Y-%m-%d \"\npassdb {\n  driver = sql\n  args = @/sql\n}\n", "passdb {\n  driver = sql\n  args = @/nowhere\n}\n", "passdb {\n  driver = ldap\n  args = @/ldap\n}\nuserdb {\n  driver = ldap\n  args = @/ldap\n}\n"},
		"2.4": {"log_timestamp = \"%Y-%m-%d \"\nsql_driver = pgsql\npgsql 127.0.0.1 {\n  parameters {\n    port = 1\n  }\n}\npassdb sql {\n  query = SELECT 1\n}\n", "sql_driver = mysql\nmysql nowhere.invalid {\n}\npassdb sql {\n  query = SELECT 1\n}\n", "ldap_uris = ldap://127.0.0.1:1\nldap_base = dc=x\npassdb ldap {\n  filter = (uid=%{user})\n}\n"},
	}
	onEach(t, func(t *testing.T, h host) {
		dovecottest.Write(t, h.Dir, "sql", "driver = pgsql\nconnect = host=127.0.0.1 port=1\npassword_query = SELECT 1\n")
		dovecottest.Write(t, h.Dir, "nowhere", "driver = mysql\nconnect = host=nowhere.invalid dbname=x\npassword_query = SELECT 1\n")
		dovecottest.Write(t, h.Dir, "ldap", "uris = ldap://127.0.0.1:1\nbase = dc=x\n")
		for _, override := range overrides[h.Dialect] {
			found, err := h.rehearse(override)
			if err != nil || len(found) == 0 || found[0].Code != finding.BackendDown || len(found.Faults()) > 0 {
				t.Errorf("%s: got %v, %v", override, found, err)
			}
		}
	})
}

func TestBackends(t *testing.T) {
	tests := map[string]string{
		"the rehearsal failed: auth: Error: pgsql(127.0.0.1): Connect failed to database x: Connection refused":                 "warning",
		"the rehearsal failed: auth-worker(7): Error: mysql(db): Connect failed to database (x): Can't connect to MySQL":        "warning",
		"the rehearsal failed: auth: Error: mysql(db): Connect failed to database (x): Unknown server host 'db' (-3) - waiting": "warning",
		"the rehearsal failed: auth: Error: ldap(ldap://127.0.0.1:1): ldap_bind() failed: Can't contact LDAP server":            "warning",
		"the rehearsal failed: auth: Error: ldap(/x): binding failed (dn cn=x): Invalid credentials":                            "fault",
		"the rehearsal failed: auth: Error: mysql(db): Connect failed to database (x): Access denied for user 'x'":              "fault",
		"the rehearsal failed: imap: Error: Can't connect":                                                                      "",
		"the rehearsal failed: auth: Error: passwd-file /x: open(/x) failed: No such file or directory":                         "",
	}
	for problem, want := range tests {
		got := ""
		for _, f := range backends(finding.List{{Code: finding.RehearsalFailed, Problem: problem}}) {
			got = map[bool]string{true: "warning", false: "fault"}[f.Warning]
		}
		if got != want {
			t.Errorf("%s: %q, not %q", problem, got, want)
		}
	}
	byBoth := finding.List{{Problem: "auth: Error: policy(a,<b>): HTTP error: Connection refused"}, {Problem: "auth: Error: policy(c,<d>): HTTP error: Connection refused"}}
	if found := backends(byBoth); len(found) != 1 || found[0].Problem != "the policy server does not work: auth: Error: HTTP error: Connection refused" {
		t.Errorf("of a policy server it says %v", found)
	}
	byBoth = finding.List{{Problem: "auth: Error: ldap(x): Can't connect"}, {Problem: "auth-worker(7): Error: ldap(x): Can't connect"}}
	if found := backends(byBoth); len(found) != 1 {
		t.Errorf("of one database it says %v", found)
	}
}

func TestSplitVersion(t *testing.T) {
	for _, tt := range []struct{ text, head string }{
		{"a = 1\n", ""},
		{"# c\ndovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\na = 1\n", "# c\ndovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"},
	} {
		if head, body := splitVersion(tt.text); head != tt.head || head+body != tt.text {
			t.Errorf("%q became %q and %q", tt.text, head, body)
		}
	}
}
