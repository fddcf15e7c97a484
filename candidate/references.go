package candidate

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"pidgeon/certificate"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
)

// maxReferenced bounds how much of a file is compared, in bytes.
const maxReferenced = 1 << 20

// contentsOf is a digest of files that the configuration refers to. Missing ones count by
// their names.
func contentsOf(paths []string) []byte {
	h := sha256.New()
	for _, path := range paths {
		fmt.Fprintf(h, "%q\n", path)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // a FIFO would be waited for
			continue
		}
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be one by now
		if err != nil {
			continue
		}
		_, _ = io.Copy(h, io.LimitReader(f, maxReferenced))
		f.Close()
	}
	return h.Sum(nil)
}

// referenceFaults finds files named by overrides that have no end (a FIFO, a device), or
// that change with every generation.
func referenceFaults(references []string, runDir string) finding.List {
	var found finding.List
	for _, path := range references {
		problem := ""
		info, err := os.Stat(path)
		switch {
		case strings.HasPrefix(path, runDir+"/"):
			problem = "lies in RUN_DIR, which pidgeon writes: name the file it comes from"
		case err != nil:
			continue // doveconf reports it
		case info.Mode().IsRegular() && info.Size() > maxReferenced:
			problem = "is larger than 1 MiB"
		case !info.Mode().IsRegular() && !info.IsDir():
			problem = "is not a regular file"
		}
		if problem != "" {
			found = append(found, finding.Finding{Code: finding.UnreadableFile, Problem: fmt.Sprintf("the file %s, which an override names, %s", path, problem)})
		}
	}
	return found
}

// checkPairs checks the certificates and keys that overrides name. doveconf reports a missing
// file, but not a key of another certificate, with which every TLS login fails.
func checkPairs(pairs []lint.CertificatePair, now time.Time) finding.List {
	var found finding.List
	for _, p := range pairs {
		loaded, err := certificate.Load(p.Certificate.Path, p.Key.Path)
		var faults finding.List
		switch {
		case err == nil && loaded.NotAfter.Sub(now) < expiryWarning:
			found = append(found, p.Certificate.Blame(expiry(p.Certificate.Path, loaded.NotAfter, now)))
		case errors.As(err, &faults):
			for _, f := range faults {
				if f.Code == finding.ForeignKey || f.Code == finding.UnreadableFile { // a key may have a password
					found = append(found, blameLine(p, f))
				}
			}
		}
	}
	return found
}

// blameLine names the line of the override for a pair whose halves do not match.
func blameLine(p lint.CertificatePair, f finding.Finding) finding.Finding {
	r := p.Key
	if f.File == p.Certificate.Path || !p.Key.Override {
		r = p.Certificate
	}
	return r.Blame(f)
}
