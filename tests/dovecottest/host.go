package dovecottest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
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

// Host is where configurations with all protocols can be run: their directory is the
// same for Dovecot and for the test.
type Host struct {
	Dialect string
	Dir     string
	Dovecot *dovecot.Dovecot
}

// OnEach runs a test on a host of each dialect.
func OnEach(t *testing.T, test func(t *testing.T, h *Host)) {
	for _, dialect := range Dialects {
		t.Run(dialect, func(t *testing.T) {
			NeedRootfs(t, dialect)
			if os.Geteuid() != 0 {
				t.Skip("running Dovecot for users of its own needs root")
			}
			h := &Host{Dialect: dialect, Dir: shortTempDir(t)}
			h.Dovecot = Installed(t, dialect, h.Dir)
			Certify(t, h.Dir, "tls")
			Certify(t, h.Dir, "other")
			Write(t, h.Dir, "users", "alice:{PLAIN}secret\n")
			test(t, h)
		})
	}
}

// Configure writes a configuration with an override, in which @ is the directory, and
// tells what Dovecot makes of it.
func (h *Host) Configure(t *testing.T, override string) (config.Files, dovecot.Settings) {
	t.Helper()
	files := config.Files{
		{Name: config.Main, Origin: "template dovecot.conf", Data: []byte(Mains[h.Dialect])},
		{Name: "conf.d/10-base.conf", Origin: "template 10-base.conf", Data: []byte(every[h.Dialect])},
		{Name: "overrides/10-x.conf", Origin: Override, Override: true, Data: []byte(override)},
	}
	for i, f := range files {
		files[i].Data = []byte(strings.ReplaceAll(string(f.Data), "@", h.Dir))
		Write(t, h.Dir, f.Name, string(files[i].Data))
	}
	main := filepath.Join(h.Dir, config.Main)
	effective, err := h.Dovecot.Effective(t.Context(), main, append(dovecot.PortSettings(), "listen", "protocols")...)
	if err != nil {
		t.Fatal(err)
	}
	dump, err := h.Dovecot.Dump(t.Context(), main, true)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(effective, dovecot.ParseDump(dump))
	return files, effective
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

// Certify writes a self-signed certificate, NAME.crt, and its key, NAME.key.
func Certify(t testing.TB, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	Write(t, dir, name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	Write(t, dir, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}
