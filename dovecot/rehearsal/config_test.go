package rehearsal

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"pidgeon/finding"
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

// A database that is down says nothing of the candidate. 2.3.19 fails without it, 2.4.1
// complains at best.
func TestRehearsalWithBackendDown(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		if h.Dialect != "2.3" {
			found, err := h.rehearse("sql_driver = pgsql\npgsql 127.0.0.1 {\n  parameters {\n    port = 1\n  }\n}\npassdb sql {\n  query = SELECT 1\n}\n")
			if err != nil || len(found.Faults()) > 0 {
				t.Errorf("got %v, %v", found, err)
			}
			return
		}
		if err := os.WriteFile(filepath.Join(h.Dir, "sql"), []byte("driver = pgsql\nconnect = host=127.0.0.1 port=1\npassword_query = SELECT 1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := h.rehearse("passdb {\n  driver = sql\n  args = @/sql\n}\n")
		if !errors.Is(err, ErrBackend) || len(found) > 0 {
			t.Errorf("got %v, %v", found, err)
		}
	})
}

func TestBackendWarnings(t *testing.T) {
	tests := map[string]bool{
		"the rehearsal failed: auth: Error: pgsql(127.0.0.1): Connect failed to database x: Connection refused":          true,
		"the rehearsal failed: auth-worker(7): Error: mysql(db): Connect failed to database (x): Can't connect to MySQL": true,
		"the rehearsal failed: auth: Error: ldap(ldap://127.0.0.1:1): ldap_bind() failed: Can't contact LDAP server":     true,
		"the rehearsal failed: imap: Error: Can't connect":                                                               false,
		"the rehearsal failed: auth: Error: passwd-file /x: open(/x) failed: No such file or directory":                  false,
	}
	for problem, want := range tests {
		warnings := backendWarnings(finding.List{{Code: finding.RehearsalFailed, Problem: problem}})
		if got := len(warnings) == 1 && warnings[0].Warning; got != want {
			t.Errorf("%s: %t", problem, got)
		}
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
