// Package certificate reads the certificate and key that Dovecot will serve, and
// makes a self-signed pair where there is none. What it returns belongs
// together: Dovecot itself accepts a foreign key and then fails every handshake
// (2.3.19, 2.4.1).
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"pidgeon/config"
	"pidgeon/finding"
)

// Pair is a certificate chain and its key, both PEM.
type Pair struct {
	Certificate, Key []byte
	NotAfter         time.Time // when the leaf expires
	Names            []string
}

// Load reads a pair. Errors are findings; [fs.ErrNotExist] is wrapped when
// neither file is there.
func Load(certPath, keyPath string) (Pair, error) {
	cert, certErr := config.ReadRegular(certPath, maxPEM)
	key, keyErr := config.ReadRegular(keyPath, maxPEM)
	if errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		return Pair{}, fmt.Errorf("reading %s and %s: %w", certPath, keyPath, fs.ErrNotExist)
	}
	if found := append(unreadable(certPath, certErr), unreadable(keyPath, keyErr)...); len(found) > 0 {
		return Pair{}, found
	}
	return parse(certPath, cert, keyPath, key)
}

// maxPEM bounds what is read, in bytes; long chains take some tens of KiB.
const maxPEM = 1 << 20

func unreadable(path string, err error) finding.List {
	if err == nil {
		return nil
	}
	found := finding.Finding{Code: finding.UnreadableFile, File: path, Problem: err.Error(), Hint: access(path, err)}
	if errors.Is(err, fs.ErrNotExist) {
		found.Code = finding.MissingFile
	}
	// The finding names the operation and the path already.
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		found.Problem = pathErr.Err.Error()
	}
	return finding.List{found}
}

// access says who may read a file that we may not.
func access(path string, err error) string {
	info, statErr := os.Stat(path)
	if !errors.Is(err, fs.ErrPermission) || statErr != nil {
		return "certificate and key are both needed"
	}
	stat := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("it is owned by %d:%d with mode %04o, and this process is user %d: let it read the file",
		stat.Uid, stat.Gid, info.Mode().Perm(), os.Geteuid())
}

func parse(certPath string, cert []byte, keyPath string, key []byte) (Pair, error) {
	leaf, err := parseLeaf(cert)
	if err != nil {
		return Pair{}, finding.List{{
			Code: finding.UnusableCertificate, File: certPath, Problem: err.Error(),
			Hint: "put the server's certificate first, then its chain, each as -----BEGIN CERTIFICATE-----",
		}}
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		code := finding.UnusableCertificate
		if strings.Contains(err.Error(), "does not match") { // crypto/tls has no error of its own for it
			code = finding.ForeignKey
		}
		return Pair{}, finding.List{{
			Code: code, File: keyPath, Problem: err.Error(),
			Hint: "give the key that belongs to " + certPath + "; during a renewal the other file is still to come",
		}}
	}
	return Pair{cert, key, leaf.NotAfter, leaf.DNSNames}, nil
}

func parseLeaf(cert []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(cert)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("the file does not begin with a CERTIFICATE in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
