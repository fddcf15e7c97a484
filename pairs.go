package main

import (
	"errors"
	"time"

	"pidgeon/certificate"
	"pidgeon/dovecot"
	"pidgeon/finding"
)

// checkPairs looks at the certificates and keys that overrides name. That a file
// is missing Dovecot says itself; a key of another certificate it does not, and
// then every TLS login fails.
func checkPairs(pairs []dovecot.Pair, now time.Time) finding.List {
	var found finding.List
	for _, p := range pairs {
		loaded, err := certificate.Load(p.Certificate.Path, p.Key.Path)
		var faults finding.List
		switch {
		case err == nil && loaded.NotAfter.Sub(now) < expiryWarning:
			found = append(found, p.Certificate.Problem(expiry(p.Certificate.Path, loaded.NotAfter, now)))
		case errors.As(err, &faults):
			for _, f := range faults {
				if f.Code == finding.ForeignKey || f.Code == finding.UnreadableFile { // a key may have a password
					found = append(found, blamed(p, f))
				}
			}
		}
	}
	return found
}

// blamed names the line of the override: of a pair that does not match it may be
// either.
func blamed(p dovecot.Pair, f finding.Finding) finding.Finding {
	r := p.Key
	if f.File == p.Certificate.Path || !p.Key.Mine {
		r = p.Certificate
	}
	return r.Problem(f)
}
