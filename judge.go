package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// pass has the candidate in dir checked and rehearsed.
func (b builder) pass(ctx context.Context, dir string, c *candidate) error {
	err := b.judge(ctx, dir, c)
	if err == nil && b.proven != b.origin(*c) {
		err = b.rehearse(ctx, dir, c)
	}
	return b.blame(err, c.files)
}

// judge has doveconf read the candidate, and looks at what it came to.
func (b builder) judge(ctx context.Context, dir string, c *candidate) error {
	main := filepath.Join(dir, config.Main)
	texts := textsOf(c.files, dir)
	if faults := referenceFaults(c.references, string(c.settings.RunDir)); len(faults) > 0 {
		return faults
	}
	found, err := b.dovecot.Check(ctx, main, texts)
	if err != nil {
		return err
	}
	found = append(found, texts.Owned(ownedSettings(c.settings))...)
	found = append(found, checkPairs(texts.Pairs(), time.Now())...).Sorted()
	c.remarks = append(c.remarks, found.Warnings()...)
	if faults := found.Faults(); len(faults) > 0 {
		return faults
	}
	if err := b.understand(ctx, main, dir, c); err != nil {
		return err
	}
	if faults := c.effective.Unset(ownedSettings(c.settings)); len(faults) > 0 {
		return faults
	}
	if faults := b.placeFaults(ctx, c); len(faults) > 0 {
		return faults
	}
	found = append(texts.Starved(c.effective), texts.ChangedListeners(c.effective, askedListeners(c.settings))...)
	c.remarks = append(c.remarks, b.attribute(found.Warnings(), c.files)...)
	if faults := found.Faults(); len(faults) > 0 {
		return faults
	}
	c.remarks = append(c.remarks, room(c.effective, texts.Lines(), c.asked)...)
	if b.isAhead() && c.digest == b.ahead {
		return nil // it listens already
	}
	return b.bindable(ctx, c.listeners)
}

// placeFaults finds what neither doveconf nor a rehearsal sees: both keep away
// from the places that the live Dovecot would use.
func (b builder) placeFaults(ctx context.Context, c *candidate) finding.List {
	found := c.effective.SocketFaults(string(c.settings.RunDir))
	uid, gid := c.effective.MailOwner(b.identity.mailUID(c.settings), b.identity.mailGID(c.settings))
	found = append(found, b.mailFaults(ctx, c.effective, string(c.settings.MailDir), uid, gid)...)
	if !slices.ContainsFunc(c.settings.Protocols, c.effective.On) {
		found = append(found, finding.Finding{
			Code:    finding.UnknownProtocol,
			Problem: "an override turns every protocol off that PROTOCOLS names",
			Hint:    "remove the line, and set PROTOCOLS",
		})
	}
	return found
}

// understand records what Dovecot makes of the candidate.
func (b builder) understand(ctx context.Context, main, dir string, c *candidate) (err error) {
	if c.effective == nil {
		if c.effective, err = b.dovecot.Effective(ctx, main, c.asks()...); err != nil {
			return err
		}
	}
	dump, err := b.dovecot.Dump(ctx, main, true)
	if err != nil {
		return err
	}
	maps.Copy(c.effective, dovecot.ParseDump(dump))
	c.effective = c.effective.WithSockets(textsOf(c.files, dir))
	c.effect = effect(dump, c.files, c.references, dir)
	c.listeners = c.effective.Listeners()
	return nil
}

// effect sums up what Dovecot makes of the files, and the files it reads later.
func effect(dump string, files config.Files, references []string, dir string) config.Sum {
	h := sha256.New()
	h.Write(contentsOf(references))
	fmt.Fprintln(h, strings.ReplaceAll(dump, dir, "\x00"))
	for _, f := range files {
		if filepath.Ext(f.Name) != ".conf" && f.Name != config.DirFile {
			fmt.Fprintf(h, "%q %d\n%s\n", f.Name, len(f.Data), f.Data)
		}
	}
	return config.Sum(h.Sum(nil))
}

// rehearse has a private Dovecot serve the candidate before any user meets it.
func (b builder) rehearse(ctx context.Context, dir string, c *candidate) error {
	found, err := b.dovecot.Rehearse(ctx, dovecot.Rehearsal{
		Dir: b.rehearsal,
		UID: b.identity.mailUID(c.settings), GID: b.identity.mailGID(c.settings),
		Texts: textsOf(c.files, dir), Effective: c.effective,
	}, dir, config.Main)
	switch {
	case err == nil && len(found.Faults()) > 0:
		return found
	case err == nil:
		c.remarks = append(c.remarks, found...)
	case errors.Is(err, dovecot.ErrBackend) && (b.cold || b.running == nil): // there is no running server that knows a better one
		c.remarks = append(c.remarks, remark(finding.BackendDown, "", err.Error()))
		return nil
	case b.cold && errors.Is(err, dovecot.ErrSlow):
		c.remarks = append(c.remarks, remark(finding.RehearsalFailed, "", err.Error()+": starting without one, for there is no mail to lose yet"))
		return nil
	}
	return err
}

// ownedSettings are what the entrypoint relies on.
func ownedSettings(s settings.Settings) map[string]string {
	return map[string]string{
		"base_dir":         baseDir(s),
		"state_dir":        dovecotState(s),
		"instance_name":    "dovecot",
		"log_path":         "/dev/stderr",
		"shutdown_clients": "no",
	}
}

// asks are the settings to be asked for even where they are Dovecot's default.
func (c candidate) asks() []string {
	return slices.Concat(dovecot.PortSettings(), limitNames(c.sizes), slices.Collect(maps.Keys(ownedSettings(c.settings))), []string{"listen", "protocols"})
}

func limitNames(sizes sizing.Sizes) []string {
	names := []string{"default_client_limit", "default_process_limit"}
	for _, service := range sizes.Services {
		names = append(names, dovecot.LimitSettings(service.Name)...)
	}
	return names
}

// loginServices are the limits of the login services as Dovecot understood them.
func loginServices(effective dovecot.Settings, sizes sizing.Sizes) []sizing.Service {
	var services []sizing.Service
	for _, service := range sizes.Services {
		processes, clients, requests, ok := effective.Limits(service.Name)
		if ok {
			service.ProcessLimit, service.ClientLimit, service.Requests = processes, clients, requests
			services = append(services, service)
		}
	}
	return services
}
