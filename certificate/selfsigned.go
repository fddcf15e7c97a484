package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

const (
	lifetime = 398 * 24 * time.Hour // what browsers and mail clients still accept
	renewal  = 30 * 24 * time.Hour
)

// Kept returns the pair kept in dir, whatever host it names, unless it is about to
// expire.
func Kept(dir string, now time.Time) (pair Pair, ok bool) {
	pair, err := Load(paths(dir))
	return pair, err == nil && now.Add(renewal).Before(pair.NotAfter)
}

func paths(dir string) (cert, key string) {
	return filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
}

// SelfSigned returns the pair kept in dir, and makes a new one where there is
// none, where it names another host, or where it is about to expire.
func SelfSigned(dir, host string, now time.Time) (Pair, error) {
	if pair, ok := Kept(dir, now); ok && slices.Contains(pair.Names, host) {
		return pair, nil
	}
	certPath, keyPath := paths(dir)
	cert, key, err := generate(host, now)
	if err != nil {
		return Pair{}, fmt.Errorf("making a self-signed certificate: %w", err)
	}
	if err := keep(certPath, cert, keyPath, key); err != nil {
		return Pair{}, fmt.Errorf("keeping the self-signed certificate: %w", err)
	}
	return parse(certPath, cert, keyPath, key)
}

func generate(host string, now time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},      // an address too: what counts is that the name is found again
		NotBefore:    now.Add(-time.Hour), // clocks differ
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return cert, key, nil
}

func keep(certPath string, cert []byte, keyPath string, key []byte) error {
	if err := os.MkdirAll(filepath.Dir(certPath), 0o700); err != nil {
		return err
	}
	if err := renameio.WriteFile(certPath, cert, 0o644); err != nil {
		return err
	}
	return renameio.WriteFile(keyPath, key, 0o600)
}
