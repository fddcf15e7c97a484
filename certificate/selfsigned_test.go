package certificate_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pidgeon/certificate"
)

func selfSigned(t *testing.T, dir, host string, now time.Time) certificate.Pair {
	t.Helper()
	pair, err := certificate.SelfSigned(dir, host, now)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func same(a, b certificate.Pair) bool {
	return string(a.Certificate) == string(b.Certificate) && string(a.Key) == string(b.Key)
}

func TestSelfSignedIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "certificate")
	now := time.Now()
	first := selfSigned(t, dir, "mail.example.com", now)
	for _, later := range []time.Duration{0, time.Hour, (398 - 31) * 24 * time.Hour} {
		if again := selfSigned(t, dir, "mail.example.com", now.Add(later)); !same(first, again) {
			t.Errorf("another one after %v", later)
		}
	}
	loaded, err := certificate.Load(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil || !same(first, loaded) {
		t.Errorf("what is kept is not what was returned: %v", err)
	}
	for name, want := range map[string]os.FileMode{"tls.key": 0o600, ".": 0o700 | os.ModeDir} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v (%v), want %v", name, info.Mode(), err, want)
		}
	}
}

func TestSelfSignedIsRenewed(t *testing.T) {
	now := time.Now()
	spoil := func(name, text string) func(string) {
		return func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, foreign := newPair(t, "mail.example.com", now.Add(365*24*time.Hour))
	tests := []struct {
		name  string
		host  string
		after time.Duration
		spoil func(dir string)
	}{
		{"before it expires", "mail.example.com", (398 - 29) * 24 * time.Hour, nil},
		{"after it expired", "mail.example.com", 1000 * 24 * time.Hour, nil},
		{"for another host", "imap.example.com", 0, nil},
		{"when the key is cut off", "mail.example.com", 0, spoil("tls.key", "-----BEGIN")},
		{"when the key is another's", "mail.example.com", 0, spoil("tls.key", string(foreign))},
		{"when the certificate is empty", "mail.example.com", 0, spoil("tls.crt", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			first := selfSigned(t, dir, "mail.example.com", now)
			if tt.spoil != nil {
				tt.spoil(dir)
			}
			at := now.Add(tt.after)
			second := selfSigned(t, dir, tt.host, at)
			if same(first, second) {
				t.Fatal("the old one is still in use")
			}
			if second.NotAfter.Before(at.Add(397 * 24 * time.Hour)) {
				t.Errorf("the new one ends at %v", second.NotAfter)
			}
			if !same(second, selfSigned(t, dir, tt.host, at)) {
				t.Error("the new one is not kept")
			}
		})
	}
}

// Any name that MAIL_HOSTNAME takes has to give a certificate, or a server would
// not start for the sake of one nobody trusts.
func TestSelfSignedForAnyHost(t *testing.T) {
	for _, host := range []string{
		"localhost", "mail.example.com", "_mail", "a..b", "a-.b", "127.0.0.1", "::1", "2001:db8::1", "fe80::1%eth0",
		strings.Repeat("a", 64), strings.Repeat("a.", 126) + "b", "1d4f3c2b1a00",
	} {
		t.Run(host, func(t *testing.T) {
			dir := t.TempDir()
			pair := selfSigned(t, dir, host, time.Now())
			if !same(pair, selfSigned(t, dir, host, time.Now())) {
				t.Error("it is made anew each time")
			}
		})
	}
}

// A client that is told to trust it gets through.
func TestSelfSignedIsAccepted(t *testing.T) {
	pair := selfSigned(t, t.TempDir(), "mail.example.com", time.Now())
	served, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(served.Leaf)
	if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "mail.example.com"}); err != nil {
		t.Error(err)
	}
}

func TestSelfSignedCannotBeKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := certificate.SelfSigned(file, "mail.example.com", time.Now())
	if err == nil || !strings.HasPrefix(err.Error(), "keeping the self-signed certificate: ") {
		t.Errorf("got %v", err)
	}
}
