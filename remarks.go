package main

import (
	"errors"
	"fmt"
	"time"

	"pidgeon/finding"
)

// remark is a finding that refuses nothing.
func remark(code finding.Code, file, problem string) finding.Finding {
	return finding.Finding{Code: code, File: file, Problem: problem, Warning: true}
}

// expiry warns of a certificate that ends soon, or has ended: mail programs
// refuse it, but Dovecot serves it, and to refuse it would take mail down.
func expiry(path string, notAfter, now time.Time) finding.Finding {
	date := notAfter.UTC().Format(time.RFC1123)
	if notAfter.Before(now) {
		f := remark(finding.ExpiredCertificate, path, "the certificate has expired on "+date)
		f.Hint = "renew it: mail programs refuse it"
		return f
	}
	days := int(notAfter.Sub(now).Hours() / 24)
	f := remark(finding.ExpiringCertificate, path, fmt.Sprintf("the certificate expires on %s, in %d days", date, days))
	f.Hint = "look why it was not renewed"
	return f
}

// findings are all that is wrong, whatever way it is told.
func findings(err error) finding.List {
	var list finding.List
	switch joined, isJoined := err.(interface{ Unwrap() []error }); {
	case err == nil:
		return nil
	case isJoined:
		for _, err := range joined.Unwrap() {
			list = append(list, findings(err)...)
		}
		return list
	case errors.As(err, &list):
		return list
	}
	return finding.List{{Code: finding.CheckFailed, Problem: err.Error()}}
}

// sentences are the single complaints of an error, one per line of the log.
func sentences(err error) []string {
	var list finding.List
	switch joined, isJoined := err.(interface{ Unwrap() []error }); {
	case errors.As(err, &list) && !isJoined:
		return each(list)
	case isJoined:
		var all []string
		for _, err := range joined.Unwrap() {
			all = append(all, sentences(err)...)
		}
		return all
	}
	return []string{err.Error()}
}

func each[E error](errs []E) []string {
	all := make([]string, len(errs))
	for i, err := range errs {
		all[i] = err.Error()
	}
	return all
}
