package dovecot

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"pidgeon/finding"
)

// TestRehearsalKeepsAway rehearses beside what a live Dovecot would hold: its
// port, its sockets, and its users' mail.
func TestRehearsalKeepsAway(t *testing.T) {
	onEveryStage(t, func(t *testing.T, th *theater) {
		busy, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer busy.Close()
		live, err := net.Listen("unix", filepath.Join(th.dir, "auth-live"))
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
		th.mustPass(override + mail[th.dialect])
		if _, err := os.Stat(filepath.Join(th.dir, "real")); !os.IsNotExist(err) {
			t.Errorf("the rehearsal touched real mail: %v", err)
		}
		if conn, err := net.Dial("unix", filepath.Join(th.dir, "auth-live")); err != nil {
			t.Errorf("the rehearsal took the live socket away: %v", err)
		} else {
			conn.Close()
		}
		if left, _ := filepath.Glob(th.dir + "/auth-live*"); len(left) != 1 {
			t.Errorf("left behind: %v", left)
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
	onEveryStage(t, func(t *testing.T, th *theater) { th.mustPass(overrides[th.dialect]) })
}

// A database that is down says nothing of the candidate. 2.3.19 fails without it, 2.4.1
// complains at best.
func TestRehearsalWithBackendDown(t *testing.T) {
	onEveryStage(t, func(t *testing.T, th *theater) {
		if th.dialect != "2.3" {
			found, err := th.rehearse("sql_driver = pgsql\npgsql 127.0.0.1 {\n  parameters {\n    port = 1\n  }\n}\npassdb sql {\n  query = SELECT 1\n}\n")
			if err != nil || len(found.Faults()) > 0 {
				t.Errorf("got %v, %v", found, err)
			}
			return
		}
		if err := os.WriteFile(filepath.Join(th.dir, "sql"), []byte("driver = pgsql\nconnect = host=127.0.0.1 port=1\npassword_query = SELECT 1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := th.rehearse("passdb {\n  driver = sql\n  args = @/sql\n}\n")
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

func TestAbsoluteSocket(t *testing.T) {
	for _, tt := range []struct {
		name, service, kind, path string
		ok                        bool
	}{
		{"service/auth/unix_listener//tmp/x/mode", "auth", "unix_listener", "/tmp/x", true},
		{"service/log/fifo_listener//tmp/a/b/user", "log", "fifo_listener", "/tmp/a/b", true},
		{"service/auth/unix_listener/auth-userdb/mode", "", "", "", false},
		{"service/imap-login/inet_listener/imap/port", "", "", "", false},
	} {
		service, kind, path, ok := absoluteSocket(tt.name)
		if service != tt.service || kind != tt.kind || path != tt.path || ok != tt.ok {
			t.Errorf("%s: %q %q %q %t", tt.name, service, kind, path, ok)
		}
	}
}
