package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"pidgeon/certificate"
	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/settings"
)

// sources are what a candidate is made of, read once.
type sources struct {
	settings settings.Settings
	tree     mount.Tree
	pair     certificate.Pair
	remarks  finding.List
}

// read reads all sources, the overrides until they stay as they are.
func (b builder) read(ctx context.Context) (sources, error) {
	s, faults := settings.Load(b.environ)
	if faults != nil {
		return sources{}, faults
	}
	return b.readBeside(s, func(dir string) (mount.Tree, error) { return mount.ReadStable(ctx, dir) })
}

// readBeside reads all sources but the settings. A failure of one does not hide
// those of the others.
func (b builder) readBeside(s settings.Settings, overrides func(dir string) (mount.Tree, error)) (sources, error) {
	var in sources
	for _, note := range s.Notes {
		in.remarks = append(in.remarks, remark(finding.Environment, "", note))
	}
	if listen, without := withoutIPv6(s.Listen); without {
		s.Listen = listen
		in.remarks = append(in.remarks, remark(finding.CannotListen, "", "this container has no IPv6: listening on IPv4 alone"))
	}
	if len(s.Users) == 0 {
		in.remarks = append(in.remarks, remark(finding.Remark, "", "nobody can log in: add a user with USERS=name:password, or a user database in an override"))
	}
	in.settings = s
	tree, treeErr := overrides(string(s.OverridesDir))
	if errors.Is(treeErr, fs.ErrNotExist) && !b.overridden {
		in.remarks = append(in.remarks, remark(finding.MissingFile, string(s.OverridesDir), "the directory does not exist: no overrides"))
		treeErr = nil
	}
	in.tree = tree
	for _, ignored := range tree.Ignored {
		in.remarks = append(in.remarks, remark(finding.IgnoredFile, ignored.Path, "is ignored: "+ignored.Reason))
	}
	pair, selfSigned, certErr := b.certificate(s)
	in.pair = pair
	if selfSigned {
		in.remarks = append(in.remarks, remark(finding.SelfSigned, string(s.TLSCertPath), "does not exist: serving a self-signed certificate, which mail programs will warn of"))
	}
	if left := time.Until(pair.NotAfter); certErr == nil && s.TLS != "no" && left < expiryWarning {
		in.remarks = append(in.remarks, expiry(string(s.TLSCertPath), pair.NotAfter, time.Now()))
	}
	return in, errors.Join(treeErr, certErr)
}

// expiryWarning is how long before its end a certificate is warned of. Renewals
// are due 30 days before it; at 14 one has failed more than once.
const expiryWarning = 14 * 24 * time.Hour

func (b builder) certificate(s settings.Settings) (pair certificate.Pair, selfSigned bool, err error) {
	if s.TLS == "no" {
		return certificate.Pair{}, false, nil
	}
	pair, err = certificate.Load(string(s.TLSCertPath), string(s.TLSKeyPath))
	if errors.Is(err, fs.ErrNotExist) {
		pair, err = certificate.SelfSigned(b.selfSigned, string(s.Hostname), time.Now())
		return pair, true, err
	}
	return pair, false, err
}
