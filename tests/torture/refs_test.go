package torture

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pair makes a certificate for a name, and its key.
func pair(t testing.TB, name string, notAfter time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: notAfter.Add(-1000 * time.Hour), NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// makeRefs makes the files that overrides refer to.
func makeRefs(t testing.TB, dir string) {
	t.Helper()
	year := time.Now().Add(365 * 24 * time.Hour)
	cert, key := pair(t, "good.example", year)
	_, other := pair(t, "other.example", year)
	expired, expiredKey := pair(t, "expired.example", time.Now().Add(-24*time.Hour))
	for name, text := range map[string]string{
		"good.crt": cert, "good.key": key, "other.key": other,
		"expired.crt": expired, "expired.key": expiredKey,
		"empty.pem": "", "garbage.pem": strings.Repeat("not a PEM file\n", 20), "cut.crt": cert[:len(cert)/2],
		"encrypted.key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg=\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"victim":        "a file of the operator's\n",
		"users":         "nobody-in-particular:{PLAIN}x\n",
		"one.conf":      "login_greeting = from an included file\n",
		"limit.conf":    "process_limit = 900\n",
		"broken.conf":   "service imap {\n",
		"loop-a.conf":   "!include " + dir + "/loop-b.conf\n",
		"loop-b.conf":   "!include " + dir + "/loop-a.conf\n",
		"huge.conf":     strings.Repeat("bogus_setting_number_one = 1\n", 200_000),
		"ldap-nowhere.conf": "uris = ldap://127.0.0.1:1\nbase = dc=example,dc=org\nauth_bind = yes\n" +
			"pass_filter = (uid=%u)\n",
		"sql-nowhere.conf": "driver = mysql\nconnect = host=127.0.0.1 port=1 dbname=x user=x password=x\n" +
			"password_query = SELECT 1\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nothing", filepath.Join(dir, "dangling.crt")); err != nil {
		t.Fatal(err)
	}
}
