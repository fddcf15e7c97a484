package dovecot

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pidgeon/finding"
)

// every are configurations with all protocols; @ is their directory.
var every = map[string]string{
	"2.3": `base_dir = @/live
state_dir = @/live
protocols = imap pop3 sieve submission lmtp
ssl = required
ssl_cert = <@/tls.crt
ssl_key = <@/tls.key
mail_location = maildir:~/mail
first_valid_uid = 1
recipient_delimiter = +
submission_relay_host = 127.0.0.1
passdb {
  driver = passwd-file
  args = @/users
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=@/real/%u
}
namespace inbox {
  inbox = yes
}
`,
	"2.4": `base_dir = @/live
state_dir = @/live
protocols {
  imap = yes
  pop3 = yes
  sieve = yes
  submission = yes
  lmtp = yes
}
ssl = required
ssl_server_cert_file = @/tls.crt
ssl_server_key_file = @/tls.key
mail_driver = maildir
mail_path = ~/mail
first_valid_uid = 1
recipient_delimiter = +
submission_relay_host = 127.0.0.1
passdb users {
  driver = passwd-file
  passwd_file_path = @/users
}
userdb users {
  driver = static
  fields {
    uid = 5000
    gid = 5000
    home = @/real/%{user}
  }
}
namespace inbox {
  inbox = yes
}
`,
}

// theater is where candidates of a test are rehearsed.
type theater struct {
	t       *testing.T
	dialect string
	dir     string
	dovecot *Dovecot
}

// onEveryStage runs a test with a theater for each dialect.
func onEveryStage(t *testing.T, test func(t *testing.T, th *theater)) {
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			needRootfs(t, dialect)
			if os.Geteuid() != 0 {
				t.Skip("a rehearsal for users of its own needs root")
			}
			th := &theater{t: t, dialect: dialect, dir: shortTempDir(t)}
			th.dovecot = installed(t, dialect, th.dir)
			th.certify("tls")
			th.certify("other")
			write(t, th.dir, "users", "alice:{PLAIN}secret\n")
			test(t, th)
		})
	}
}

// shortTempDir has a path that leaves room for the sockets below it.
func shortTempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "pr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (th *theater) certify(name string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		th.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		th.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		th.t.Fatal(err)
	}
	write(th.t, th.dir, name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	write(th.t, th.dir, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// candidate writes a configuration with an override and makes it ready to be
// rehearsed.
func (th *theater) candidate(override string) Rehearsal {
	th.t.Helper()
	texts := Texts{
		{Path: "dovecot.conf", Origin: "template dovecot.conf", Data: []byte(mains[th.dialect])},
		{Path: "conf.d/10-base.conf", Origin: "template 10-base.conf", Data: []byte(every[th.dialect])},
		{Path: "overrides/10-x.conf", Origin: mine, Mine: true, Data: []byte(override)},
	}
	for i, text := range texts {
		texts[i].Data = []byte(strings.ReplaceAll(string(text.Data), "@", th.dir))
		write(th.t, th.dir, text.Path, string(texts[i].Data))
		texts[i].Path = filepath.Join(th.dir, text.Path)
	}
	main := filepath.Join(th.dir, "dovecot.conf")
	effective, err := th.dovecot.Effective(th.t.Context(), main, append(PortSettings(), "listen", "protocols")...)
	if err != nil {
		th.t.Fatal(err)
	}
	dump, err := th.dovecot.Dump(th.t.Context(), main, true)
	if err != nil {
		th.t.Fatal(err)
	}
	maps.Copy(effective, ParseDump(dump))
	return Rehearsal{Dir: filepath.Join(th.dir, "r"), UID: 5000, GID: 5000, Texts: texts, Effective: effective.WithSockets(texts)}
}

func (th *theater) rehearse(override string) (finding.List, error) {
	th.t.Helper()
	return th.dovecot.Rehearse(th.t.Context(), th.candidate(override), th.dir, "dovecot.conf")
}

// mustPass rehearses what is fine.
func (th *theater) mustPass(override string) {
	th.t.Helper()
	if found, err := th.rehearse(override); err != nil || len(found) > 0 {
		th.t.Errorf("%s: %v %v", override, found, err)
	}
}

// TestRehearsalPasses plays every protocol with what is fine.
func TestRehearsalPasses(t *testing.T) {
	onEveryStage(t, func(t *testing.T, th *theater) {
		th.mustPass("")
		th.mustPass("login_greeting = OK or not, * BYE\n")
		th.mustPass("ssl = no\n")
		left, err := filepath.Glob(th.dir + "/*")
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
	onEveryStage(t, func(t *testing.T, th *theater) {
		found, err := th.rehearse("login_greeting = x\nservice lmtp {\n  executable = /bin/false\n}\n")
		if err != nil || len(found) == 0 || found[0].Place() != mine+":3" && found[0].Place() != mine+":2" {
			t.Errorf("found %v, %v", found, err)
		}
		if n := strings.Count(found.Error(), "throttling"); n > 0 {
			t.Errorf("the master's repetitions are findings: %v", found)
		}
	})
}

// TestRehearsalUserIsFound logs in whatever of the name is kept.
func TestRehearsalUserIsFound(t *testing.T) {
	formats := map[string][]string{
		"2.3": {"%n", "%Lu", "%d", "%n@%d"},
		"2.4": {"%{user | username}", "%{user | lower}", "%{user | domain}", "%{user | username}@%{user | domain}"},
	}
	onEveryStage(t, func(t *testing.T, th *theater) {
		for _, format := range formats[th.dialect] {
			th.mustPass("auth_username_format = " + format + "\n")
		}
	})
}

// TestSlowRehearsal tells a Dovecot that complains from one that says nothing.
func TestSlowRehearsal(t *testing.T) {
	s := stage{Rehearsal: Rehearsal{Dir: t.TempDir(), Texts: Texts{
		{Origin: mine, Mine: true, Data: []byte("# comment\nservice stats {\n}\n")},
	}}}
	slow := fmt.Errorf("imap: %w: %q was expected", ErrSlow, "b OK")
	if found, err := s.verdict(slow); len(found) > 0 || !errors.Is(err, ErrSlow) {
		t.Errorf("of a silent one: %v, %v", found, err)
	}
	write(t, s.Dir, "log", "Nov 23 15:20:48 stats: Fatal: master: service(stats): child 7 returned error 1\n")
	if found, err := s.verdict(slow); err != nil || len(found) != 1 || found[0].Place() != mine+":2" {
		t.Errorf("of one that complains: %v, %v", found, err)
	}
	if found, err := s.verdict(nil); len(found) > 0 || err != nil {
		t.Errorf("of a good one: %v, %v", found, err)
	}
}

// TestRehearsalEndsWithItsContext leaves nothing and says why.
func TestRehearsalEndsWithItsContext(t *testing.T) {
	onEveryStage(t, func(t *testing.T, th *theater) {
		r := th.candidate("imap_max_line_length = 1\n") // hangs
		stop := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(500*time.Millisecond, func() { cancel(stop) })
		if found, err := th.dovecot.Rehearse(ctx, r, th.dir, "dovecot.conf"); !errors.Is(err, stop) || len(found) > 0 {
			t.Errorf("found %v, %v", found, err)
		}
		if _, err := os.Stat(r.Dir); !os.IsNotExist(err) {
			t.Errorf("the rehearsal's directory is left: %v", err)
		}
	})
}
