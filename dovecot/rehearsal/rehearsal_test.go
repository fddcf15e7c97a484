package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/tests/dovecottest"
)

const mine = dovecottest.Override

// host is where candidates of a test are rehearsed.
type host struct {
	*dovecottest.Host
	t *testing.T
}

func onEach(t *testing.T, test func(t *testing.T, h host)) {
	dovecottest.OnEach(t, func(t *testing.T, h *dovecottest.Host) { test(t, host{h, t}) })
}

// candidate writes a configuration with an override and makes it ready to be
// rehearsed.
func (h host) candidate(override string) Rehearsal {
	h.t.Helper()
	files, effective := h.Configure(h.t, override)
	parsed := lint.Parse(files, h.Dir)
	return Rehearsal{
		Dir: filepath.Join(h.Dir, "r"), Candidate: h.Dir, UID: 5000, GID: 5000,
		Config: parsed, Effective: parsed.WithSockets(effective),
	}
}

func (h host) rehearse(override string) (finding.List, error) {
	h.t.Helper()
	return Run(h.t.Context(), h.Dovecot, h.candidate(override))
}

// mustPass rehearses what is fine.
func (h host) mustPass(override string) {
	h.t.Helper()
	if found, err := h.rehearse(override); err != nil || len(found) > 0 {
		h.t.Errorf("%s: %v %v", override, found, err)
	}
}

// TestRehearsalPasses plays every protocol with what is fine.
func TestRehearsalPasses(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		h.mustPass("")
		h.mustPass("login_greeting = OK or not, * BYE\n")
		h.mustPass("ssl = no\n")
		h.mustPass("mail_chroot = /srv\n")
		h.mustPass("protocol sieve {\n  ssl = no\n}\n") // behind a proxy
		if h.Dialect == "2.3" {
			// The imap of 2.4.1 does not find itself behind rawlog.
			h.mustPass("service imap {\n  executable = rawlog /usr/lib/dovecot/imap\n}\n")
			h.mustPass("director_servers = 192.0.2.1\ndirector_mail_servers = 192.0.2.2\nservice director {\n  unix_listener login/director {\n    mode = 0666\n  }\n" +
				"  fifo_listener login/proxy-notify {\n    mode = 0666\n  }\n  inet_listener {\n    port = 9090\n  }\n}\nservice imap-login {\n  executable = imap-login director\n}\n")
		}
		left, err := filepath.Glob(h.Dir + "/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range left {
			if name := filepath.Base(path); !slices.Contains([]string{"dovecot.conf", "conf.d", "overrides", "users", "tls.crt", "tls.key", "other.crt", "other.key"}, name) {
				t.Errorf("%s is left behind", name)
			}
		}
	})
}

// TestRehearsalNamesTheLine blames the section of a service for what is said of
// that service, and says nothing twice.
func TestRehearsalNamesTheLine(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		found, err := h.rehearse("login_greeting = x\nservice lmtp {\n  executable = /bin/false\n}\n")
		if err != nil || len(found) == 0 || found[0].Place() != mine+":3" && found[0].Place() != mine+":2" {
			t.Errorf("found %v, %v", found, err)
		}
		if n := strings.Count(found.Error(), "throttling"); n > 0 {
			t.Errorf("the master's repetitions are findings: %v", found)
		}
	})
}

// TestFiltersGreet asks for greetings as those clients get them for whom a section has settings
// of its own.
func TestFiltersGreet(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		certificate := map[string]string{"2.3": "  ssl_cert = <" + h.Dir + "/users\n", "2.4": "  ssl_server_cert_file = " + h.Dir + "/users\n"}[h.Dialect]
		ready := "login_greeting = x\n"
		for _, tt := range []struct{ override, want string }{
			{"local 10.0.0.0/8 {\n  ssl = no\n}\n", mine + ":3"},
			{"local fd00::/8 {\n  ssl = no\n}\n", mine + ":3"},
			{"remote 192.168.1.2 {\n  ssl = no\n}\n", mine + ":3"},
			{"local 10.0.0.1 {\n  protocol imap {\n    ssl = no\n  }\n}\n", mine + ":4"},
			{"local 10.0.0.1 {\n" + certificate + "}\n", mine},
			{"local_name mail.example.com {\n" + certificate + "}\n", mine},
			{"local 10.0.0.1 {\n  login_greeting = y\n  remote fd00::1 {\n    ssl = no\n  }\n}\n", ""}, // which no connection is
			{"local 10.0.0.1 {\n  ssl_cipher_list = DEFAULT\n}\nremote ::1 {\n  login_greeting = y\n}\nlocal_name *.example.com {\n  ssl_cipher_list = DEFAULT\n}\n", ""},
		} {
			found, err := h.rehearse(ready + tt.override)
			if err != nil || len(found) > 0 != (tt.want != "") || len(found) > 0 && !strings.HasPrefix(found[0].Place(), tt.want) {
				t.Errorf("%s: %v, %v", tt.override, found, err)
			}
		}
	})
}

// TestProcessKilled has a login process die once, and each time. The first refuses nothing.
func TestProcessKilled(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		once := filepath.Join(h.Dir, "once")
		dies := func(condition string) string {
			program := filepath.Join(h.Dir, "imap-login")
			text := "#!/bin/sh\n" + condition + " kill -s SEGV $$\nexec /usr/lib/dovecot/imap-login \"$@\"\n"
			if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			return "service imap-login {\n  executable = " + program + "\n  chroot =\n  process_min_avail = 0\n}\n"
		}
		h.mustPass(dies("mkdir " + once + " &&"))
		if _, err := os.Stat(once); err != nil {
			t.Errorf("nothing died: %v", err)
		}
		if found, err := h.rehearse(dies("")); err != nil || !slices.ContainsFunc(found, died) || found[0].File != mine {
			t.Errorf("of one that always dies: %v, %v", found, err)
		}
	})
}

// TestRehearsalUserIsFound logs in whatever of the name is kept.
func TestRehearsalUserIsFound(t *testing.T) {
	formats := map[string][]string{
		"2.3": {"%n", "%Lu", "%d", "%n@%d"},
		"2.4": {"%{user | username}", "%{user | lower}", "%{user | domain}", "%{user | username}@%{user | domain}"},
	}
	onEach(t, func(t *testing.T, h host) {
		for _, format := range formats[h.Dialect] {
			h.mustPass("auth_username_format = " + format + "\n")
		}
	})
}

// TestSlowRehearsal tells a Dovecot that ends from one that may be about to answer.
func TestSlowRehearsal(t *testing.T) {
	s := private{Rehearsal: Rehearsal{Dir: t.TempDir(), Config: lint.Parse(config.Files{
		{Name: "x.conf", Origin: mine, Override: true, Data: []byte("# comment\nservice stats {\n}\n")},
	}, "/g")}}
	slow := fmt.Errorf("imap: %w: %q was expected", ErrSlow, "b OK")
	if found, err := s.verdict(slow); len(found) > 0 || !errors.Is(err, ErrSlow) {
		t.Errorf("of a silent one: %v, %v", found, err)
	}
	dovecottest.Write(t, s.Dir, "log", "Nov 23 15:20:48 lmtp(7): Error: SSL context initialization failed, disabling SSL\n")
	if found, err := s.verdict(slow); len(found) > 0 || !errors.Is(err, ErrSlow) {
		t.Errorf("of one that goes on: %v, %v", found, err)
	}
	dovecottest.Write(t, s.Dir, "log", "Nov 23 15:20:48 stats: Fatal: master: service(stats): child 7 returned error 1\n")
	if found, err := s.verdict(slow); err != nil || len(found) != 1 || found[0].Place() != mine+":2" {
		t.Errorf("of one that ends: %v, %v", found, err)
	}
	if found, err := s.verdict(nil); len(found) > 0 || err != nil {
		t.Errorf("of a good one: %v, %v", found, err)
	}
}

// TestRehearsalEndsWithItsContext leaves nothing and says why.
func TestRehearsalEndsWithItsContext(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		r := h.candidate("imap_max_line_length = 1\n") // hangs
		stop := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(500*time.Millisecond, func() { cancel(stop) })
		if found, err := Run(ctx, h.Dovecot, r); !errors.Is(err, stop) || len(found) > 0 {
			t.Errorf("found %v, %v", found, err)
		}
		if _, err := os.Stat(r.Dir); !os.IsNotExist(err) {
			t.Errorf("the rehearsal's directory is left: %v", err)
		}
	})
}

// TestHasDatabase knows a database by the driver, and on 2.4 by a section's name.
func TestHasDatabase(t *testing.T) {
	for _, tt := range []struct {
		effective dovecot.Settings
		want      bool
	}{
		{dovecot.Settings{"passdb/#1/driver": "sql"}, true},
		{dovecot.Settings{"passdb/x/driver": "passwd-file", "userdb/x/driver": "ldap"}, true},
		{dovecot.Settings{"passdb/sql/query": "SELECT 1"}, true},
		{dovecot.Settings{"passdb/sql/driver": "pam", "namespace/sql/prefix": "x"}, false},
		{dovecot.Settings{"passdb/passwd-file/passwd_file_path": "/x", "sql_driver": "mysql"}, false},
	} {
		if got := (private{Rehearsal: Rehearsal{Effective: tt.effective}}).hasDatabase(); got != tt.want {
			t.Errorf("%v: %v", tt.effective, got)
		}
	}
}

// TestAuthWaits tells an auth that connects to its database first, and greets nobody
// meanwhile, from one that is ready, and from none.
func TestAuthWaits(t *testing.T) {
	p := private{Rehearsal: Rehearsal{Dir: t.TempDir(), Config: lint.Parse(nil, "/g")}}
	if p.authWaits() {
		t.Error("without auth")
	}
	if err := os.Mkdir(p.path("base"), 0o755); err != nil {
		t.Fatal(err)
	}
	auth, err := net.Listen("unix", p.path("base/auth-client"))
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	if !p.authWaits() {
		t.Error("of one that says nothing")
	}
	go func() {
		for conn, err := auth.Accept(); err == nil; conn, err = auth.Accept() {
			_, _ = conn.Write([]byte("VERSION\t1\t2\n"))
		}
	}()
	if p.authWaits() {
		t.Error("of one that greets")
	}
	if found, err := p.verdict(errAuthWaits); err != nil || len(found) != 1 || found[0].Code != finding.BackendDown || !found[0].Warning {
		t.Errorf("the verdict is %v, %v", found, err)
	}
}

// TestLateReason waits as long as a rehearsal may take for what Dovecot is sure to log, and
// not for that which it may not log.
func TestLateReason(t *testing.T) {
	p := private{Rehearsal: Rehearsal{Dir: t.TempDir(), Config: lint.Parse(nil, "/g")}}
	time.AfterFunc(time.Second, func() {
		dovecottest.Write(t, p.Dir, "log", "Nov 23 15:20:48 imap(x): Error: Mail access for users with UID 5000 not permitted\n")
	})
	for _, tt := range []struct {
		failure string
		logged  int
	}{
		{"imap: the server answered: b NO [AUTHENTICATIONFAILED] Authentication failed.", 0},
		{"imap: the server answered: * BYE Internal error occurred. Refer to server log for more information.", 1},
	} {
		p.awaitReason(t.Context(), t.Context(), errors.New(tt.failure))
		if found := p.complaints(); len(found) != tt.logged {
			t.Errorf("after %s there is %v", tt.failure, found)
		}
	}
}
