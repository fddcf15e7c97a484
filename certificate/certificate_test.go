package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pidgeon/certificate"
	"pidgeon/finding"
)

// newPair makes a certificate and its key.
func newPair(t *testing.T, host string, notAfter time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// files writes both files, one of them not where its data is nil, and returns
// their paths.
func files(t *testing.T, cert, key []byte) (certPath, keyPath string) {
	t.Helper()
	dir := t.TempDir()
	certPath, keyPath = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, data := range map[string][]byte{certPath: cert, keyPath: key} {
		if data == nil {
			continue
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certPath, keyPath
}

func TestLoad(t *testing.T) {
	end := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	cert, key := newPair(t, "mail.example.com", end)
	issuer, _ := newPair(t, "ca.example.com", end.Add(time.Hour))
	old, oldKey := newPair(t, "old.example.com", time.Now().Add(-time.Hour).UTC().Truncate(time.Second))
	tests := []struct {
		name      string
		cert, key []byte
		host      string
	}{
		{"pair", cert, key, "mail.example.com"},
		{"chain", slices.Concat(cert, issuer), key, "mail.example.com"},
		{"text before the blocks", slices.Concat([]byte("subject=CN = mail\r\n"), cert), key, "mail.example.com"},
		{"expired", old, oldKey, "old.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := certificate.Load(files(t, tt.cert, tt.key))
			if err != nil {
				t.Fatal(err)
			}
			if string(pair.Certificate) != string(tt.cert) || string(pair.Key) != string(tt.key) {
				t.Error("the pair is not what the files hold")
			}
			if !slices.Equal(pair.Names, []string{tt.host}) {
				t.Errorf("names %q, want %q", pair.Names, tt.host)
			}
			if expired := pair.NotAfter.Before(time.Now()); expired != (tt.host == "old.example.com") {
				t.Errorf("NotAfter is %v", pair.NotAfter)
			}
		})
	}
}

func TestLoadFaults(t *testing.T) {
	cert, key := newPair(t, "mail.example.com", time.Now().Add(time.Hour))
	other, otherKey := newPair(t, "other.example.com", time.Now().Add(time.Hour))
	const both = "certificate and key are both needed"
	const notPEM = "the file does not begin with a CERTIFICATE in PEM: put the server's certificate first, then its chain, each as -----BEGIN CERTIFICATE-----"
	belongs := ": give the key that belongs to CERT; during a renewal the other file is still to come"
	tests := []struct {
		name      string
		cert, key []byte
		want      string // CERT and KEY stand for the paths
	}{
		{"no certificate", nil, key, "CERT: no such file or directory: " + both},
		{"no key", cert, nil, "KEY: no such file or directory: " + both},
		{"foreign key", cert, otherKey, "KEY: tls: private key does not match public key" + belongs},
		{"foreign certificate first", slices.Concat(other, cert), key, "KEY: tls: private key does not match public key" + belongs},
		{"key first", slices.Concat(key, cert), key, "CERT: " + notPEM},
		{"files exchanged", key, cert, "CERT: " + notPEM},
		{"empty certificate", []byte{}, key, "CERT: " + notPEM},
		{"DER", []byte{0x30, 0x82, 0x01}, key, "CERT: " + notPEM},
		{"empty key", cert, []byte{}, `KEY: tls: failed to find any PEM data in key input` + belongs},
		{"no key in the key", cert, cert, `KEY: tls: found a certificate rather than a key in the PEM for the private key` + belongs},
		{"cut off", cert[:len(cert)/2], key, "CERT: " + notPEM},
		{"garbage in PEM", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), key, "CERT: x509: malformed certificate: put the server's certificate first, then its chain, each as -----BEGIN CERTIFICATE-----"},
		{"too large", append(slices.Clone(cert), make([]byte, 1<<20)...), key, "CERT: larger than 1 MiB: " + both},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			certPath, keyPath := files(t, tt.cert, tt.key)
			_, err := certificate.Load(certPath, keyPath)
			want := strings.NewReplacer("CERT:", certPath+":", "KEY:", keyPath+":", "CERT;", certPath+";").Replace(tt.want)
			checkFindings(t, err, want)
		})
	}
}

func checkFindings(t *testing.T, err error, want ...string) {
	t.Helper()
	var list finding.List
	if !errors.As(err, &list) {
		t.Fatalf("got %v (%T), want a finding.List", err, err)
	}
	if got := strings.Split(list.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoadNothing(t *testing.T) {
	if _, err := certificate.Load(files(t, nil, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want it to wrap fs.ErrNotExist", err)
	}
	// A directory in between that is missing is the same.
	if _, err := certificate.Load("/nonexistent/tls.crt", "/nonexistent/tls.key"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want it to wrap fs.ErrNotExist", err)
	}
}

// A FIFO has no writer, a device no end: both would be waited for.
func TestLoadNoFile(t *testing.T) {
	_, key := newPair(t, "mail.example.com", time.Now().Add(time.Hour))
	_, keyPath := files(t, nil, key)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, dir, "/dev/zero"} {
		_, err := certificate.Load(path, keyPath)
		checkFindings(t, err, path+": not a regular file: certificate and key are both needed")
	}
	_, err := certificate.Load(keyPath+"/tls.crt", keyPath)
	checkFindings(t, err, keyPath+"/tls.crt: not a directory: certificate and key are both needed")
}

// Two findings come in the order of the arguments, at each call: a log line that
// changes by itself looks like news.
func TestLoadOrder(t *testing.T) {
	dir := t.TempDir()
	for range 50 {
		if t.Failed() {
			return
		}
		_, err := certificate.Load(dir, "/dev/null")
		checkFindings(t, err,
			dir+": not a regular file: certificate and key are both needed",
			"/dev/null: not a regular file: certificate and key are both needed")
	}
}

// Nobody's user: neither root nor the owner of any file.
const nobody = 65534

// TestLoadUnreadable runs itself as a user who may not read the key.
func TestLoadUnreadable(t *testing.T) {
	if certPath := os.Getenv("UNREADABLE_CERT"); certPath != "" {
		_, err := certificate.Load(certPath, os.Getenv("UNREADABLE_KEY"))
		fmt.Println("said:", err)
		return
	}
	cert, key := newPair(t, "mail.example.com", time.Now().Add(time.Hour))
	// Not t.TempDir: the other user could not get through its parents.
	dir, err := os.MkdirTemp("", "certificate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	certPath, keyPath := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	mode := fs.FileMode(0o640)
	uid := os.Geteuid()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestLoadUnreadable$")
	if uid == 0 {
		uid = nobody
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		// The test binary lies where another user cannot get; as an open file it
		// can be started all the same.
		cmd.Path = openSelf(t, cmd)
	} else {
		mode = 0
	}
	if err := errors.Join(os.WriteFile(certPath, cert, 0o644), os.WriteFile(keyPath, key, 0o600), os.Chmod(dir, 0o755), os.Chmod(keyPath, mode)); err != nil {
		t.Fatal(err)
	}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "UNREADABLE_CERT="+certPath, "UNREADABLE_KEY="+keyPath)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("running as user %d: %v\n%s", uid, err, out)
	}
	want := fmt.Sprintf("said: %s: permission denied: it is owned by %d:%d with mode %04o, and this process is user %d: let it read the file\n",
		keyPath, os.Geteuid(), os.Getegid(), mode, uid)
	if !strings.Contains(string(out), want) {
		t.Errorf("got:\n%s\nwant:\n%s", out, want)
	}
}

// openSelf hands the running binary to cmd and returns the path it has there.
func openSelf(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { self.Close() })
	cmd.ExtraFiles = []*os.File{self}
	return "/proc/self/fd/3"
}
