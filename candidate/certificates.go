package candidate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pidgeon/certificate"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
	"pidgeon/render"
)

// readCertificate falls back to a self-signed pair, also for a faulty one, so that the check
// can go on. A running server keeps its self-signed pair, whatever name it has, because mail
// programs may have been told to trust it.
func (in *Sources) readCertificate(selfSigned string, live Live) {
	s := in.Settings
	if s.TLS == "no" {
		return
	}
	pair, err := certificate.Load(string(s.TLSCertPath), string(s.TLSKeyPath))
	if missing := errors.Is(err, fs.ErrNotExist); missing {
		in.warn(finding.SelfSigned, string(s.TLSCertPath), "does not exist: serving a self-signed certificate, which mail programs will warn of")
		err = nil
	}
	in.Faults = append(in.Faults, finding.Of(err)...)
	now := time.Now()
	if kept, ok := certificate.Kept(selfSigned, now); ok && live.Running && pair.Certificate == nil {
		pair = kept
	}
	if pair.Certificate == nil {
		pair, err = certificate.SelfSigned(selfSigned, string(s.Hostname), now)
		in.Faults = append(in.Faults, finding.Of(err)...)
	}
	if pair.NotAfter.Sub(now) < expiryWarning && pair.Certificate != nil {
		in.Warnings = append(in.Warnings, expiry(string(s.TLSCertPath), pair.NotAfter, now))
	}
	in.Certificate = pair
}

// sniName matches directories of TLS_SNI_DIR whose names a client may ask for.
var sniName = lazyregexp.New(`^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// What TLS_SNI_DIR may hold: doveconf 2.3.19 takes more memory than a judgement has to read
// 2,000 names, and PID 1 took 40 MB to watch the directories of 5,000.
const (
	maxSNINames = 1000
	maxSNIBytes = 8 << 20
)

// readSNIPairs reads the certificates of TLS_SNI_DIR, and skips directories with neither a
// certificate nor a key.
func (in *Sources) readSNIPairs() {
	dir := string(in.Settings.TLSSNIDir)
	entries, err := os.ReadDir(dir)
	if in.Settings.TLS == "no" || errors.Is(err, fs.ErrNotExist) {
		return
	}
	in.Faults = append(in.Faults, finding.Of(err)...)
	in.sniDirs = []string{dir}
	in.sniExpires = map[string]time.Time{}
	size := 0
	for _, entry := range entries {
		below := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(below); err != nil || !info.IsDir() || !sniName.MatchString(entry.Name()) {
			continue
		}
		if in.sniDirs = append(in.sniDirs, below); len(in.sniDirs) > maxSNINames+1 || size > maxSNIBytes {
			in.Faults = append(in.Faults, finding.Finding{
				Code: finding.UnusableCertificate, File: dir, Problem: fmt.Sprintf("more than %d names, or %d MiB of certificates", maxSNINames, maxSNIBytes>>20),
				Hint: "have one certificate for several names, such as *.example.com",
			})
			return
		}
		found := render.SNIPair{Name: entry.Name(), CertPath: filepath.Join(below, "tls.crt"), KeyPath: filepath.Join(below, "tls.key")}
		pair, err := certificate.Load(found.CertPath, found.KeyPath)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if in.Faults = append(in.Faults, finding.Of(err)...); err != nil {
			continue
		}
		if now := time.Now(); pair.NotAfter.Sub(now) < expiryWarning {
			in.Warnings = append(in.Warnings, expiry(found.CertPath, pair.NotAfter, now))
		}
		found.Certificate, found.Key = pair.Certificate, pair.Key
		size += len(pair.Certificate) + len(pair.Key)
		in.SNIPairs, in.sniExpires[found.Name] = append(in.SNIPairs, found), pair.NotAfter
	}
}

// expiryWarning is how long before a certificate expires a warning is due. Renewals begin 30
// days before, so at 14 days some have failed.
const expiryWarning = 14 * 24 * time.Hour

// expiry warns of a certificate that expires soon or has expired. It is no fault, because
// Dovecot serves an expired certificate, and to refuse it would take mail down.
func expiry(path string, notAfter, now time.Time) finding.Finding {
	date := notAfter.UTC().Format(time.RFC1123)
	if notAfter.Before(now) {
		return finding.Warn(finding.ExpiredCertificate, path, "the certificate has expired on "+date, "renew it: mail programs refuse it")
	}
	days := int(notAfter.Sub(now).Hours() / 24)
	return finding.Warn(finding.ExpiringCertificate, path, fmt.Sprintf("the certificate expires on %s, in %d days", date, days), "look why it was not renewed")
}
