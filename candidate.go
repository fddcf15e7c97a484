package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"pidgeon/certificate"
	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/publish"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// candidate is a configuration on its way to Dovecot.
type candidate struct {
	settings   settings.Settings
	sizes      sizing.Sizes
	files      render.Files
	digest     [sha256.Size]byte
	references []string     // files elsewhere that it names
	remarks    finding.List // that refuse nothing
	listeners  []dovecot.Listener
	effective  dovecot.Settings
	effect     [sha256.Size]byte // what Dovecot would do: the same for two candidates that differ in nothing but words
	overrides  []string          // those that are in it
	expires    time.Time         // when its certificate does
}

// builder makes candidates out of what is in the environment and in the mounted
// directories at the moment.
type builder struct {
	environ    []string
	run        dovecot.Runner
	dovecot    *dovecot.Dovecot
	builtin    fs.FS
	identity   identity
	machine    sizing.Machine
	allowed    sizing.Allowed
	selfSigned string                       // where a self-signed certificate is kept
	rehearsal  string                       // where candidates are rehearsed
	bound      []dovecot.Listener           // what Dovecot listens on already
	cold       bool                         // nothing runs yet
	running    map[string][sha256.Size]byte // the overrides that Dovecot runs with
	// overridden is set when what runs has overrides: a mount that vanishes must
	// not look like the wish to run without.
	overridden bool
}

// ports are the listeners' ports, by their names.
func (c candidate) ports() map[string]int {
	ports := map[string]int{}
	for _, l := range c.listeners {
		ports[l.Name] = l.Port
	}
	return ports
}

// sources are what a candidate is made of, read once.
type sources struct {
	settings settings.Settings
	tree     mount.Tree
	pair     certificate.Pair
	remarks  finding.List
}

// elsewhere are words by which an override may say that not all mail belongs to
// one system user, or includes a file that does.
var elsewhere = regexp.MustCompile(`userdb|passdb|mail_uid|mail_gid|!include`)

// ask is what was asked for. A session process may serve one user after another
// if all of them share a system user: it cannot go back to another (2.3.19, 2.4.1).
func (in sources) ask() []sizing.Protocol {
	reuse := !slices.ContainsFunc(slices.Concat(in.tree.Conf, in.tree.Templates), func(f mount.File) bool {
		return elsewhere.Match(f.Data)
	})
	protocols := in.settings.Ask()
	for i := range protocols {
		protocols[i].Reuse = reuse
	}
	return protocols
}

// read reads all sources. A failure of one does not hide those of the others.
func (b builder) read(ctx context.Context) (sources, error) {
	var in sources
	s, faults := settings.Load(b.environ)
	if faults != nil {
		return in, faults
	}
	for _, note := range s.Notes {
		in.remarks = append(in.remarks, remark(finding.Environment, "", note))
	}
	if listen, without := withoutIPv6(s.Listen); without {
		s.Listen = listen
		in.remarks = append(in.remarks, remark(finding.CannotListen, "", "this container has no IPv6: listening on IPv4 alone"))
	}
	in.settings = s
	tree, treeErr := mount.ReadStable(ctx, string(s.OverridesDir))
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

// render makes the files for the generation dir.
func (b builder) render(in sources, sizes sizing.Sizes, dir string) (render.Files, error) {
	s := in.settings
	return render.Render(render.Input{
		Builtin:   b.builtin,
		Templates: renderSources(in.tree.Templates),
		Overrides: renderSources(in.tree.Conf),
		Data: render.Data{
			Settings: s, Sizes: sizes, Env: anyValues(s.Environ),
			Dir: dir, BaseDir: baseDir(s), StateDir: dovecotState(s),
			User: b.identity.user, Group: b.identity.group,
			MailUID: b.identity.mailUID(s), MailGID: b.identity.mailGID(s),
			Certificate: in.pair.Certificate, Key: in.pair.Key,
		},
	})
}

// anyValues is the map as sprig's functions want it.
func anyValues(m map[string]string) map[string]any {
	values := make(map[string]any, len(m))
	for k, v := range m {
		values[k] = v
	}
	return values
}

func renderSources(files []mount.File) []render.Source {
	sources := make([]render.Source, len(files))
	for i, f := range files {
		sources[i] = render.Source{Name: filepath.Base(f.Name), Path: f.Path, Data: f.Data}
	}
	return sources
}

// build makes a candidate for dir out of what was read; it is not checked yet.
func (b builder) build(in sources, dir string) (candidate, error) {
	c := candidate{settings: in.settings, remarks: in.remarks, expires: in.pair.NotAfter}
	c.sizes = sizing.Size(in.ask(), b.machine)
	for _, f := range in.tree.Conf {
		c.overrides = append(c.overrides, f.Name)
	}
	var err error
	c.files, err = b.render(in, c.sizes, dir)
	c.references = textsOf(c.files, dir).References()
	configuration := c.files.Digest(dir)
	c.digest = sha256.Sum256(append(configuration[:], contentsOf(c.references)...))
	return c, err
}

// check stages the candidate in the store and has Dovecot judge it there. The
// error is a finding.List when the candidate is at fault. A refused candidate
// leaves nothing in the store.
func (b builder) check(ctx context.Context, store *publish.Store, in sources, c *candidate) (dir string, err error) {
	dir, err = store.Stage(publishFiles(c.files))
	if err != nil {
		return "", err
	}
	if dir, err = b.follow(ctx, store, in, c, dir); err == nil {
		err = b.pass(ctx, dir, c)
	}
	if err != nil && dir != "" {
		return "", errors.Join(err, store.Discard(dir))
	}
	return dir, err
}

// follow sizes again when an override has changed how many can log in, and
// stages the result in the place of what lies in dir. What cannot be read is left
// for the check to complain of.
func (b builder) follow(ctx context.Context, store *publish.Store, in sources, c *candidate, dir string) (string, error) {
	effective, err := b.dovecot.Effective(ctx, filepath.Join(dir, render.Main), limitNames(c.sizes)...)
	if err != nil {
		return dir, nil
	}
	followed := c.sizes.Follow(loginServices(effective, c.sizes), in.ask(), b.machine)
	if followed.Equal(c.sizes) {
		return dir, nil
	}
	if err := store.Discard(dir); err != nil {
		return "", err
	}
	c.sizes = followed
	if c.files, err = b.render(in, followed, store.Next()); err != nil {
		return "", err
	}
	return store.Stage(publishFiles(c.files))
}

// pass has the candidate in dir checked and rehearsed.
func (b builder) pass(ctx context.Context, dir string, c *candidate) error {
	err := b.judge(ctx, dir, c)
	if err == nil {
		err = b.rehearse(ctx, dir, c)
	}
	return b.blame(err, c.files)
}

// judge has doveconf read the candidate, and looks at what it came to.
func (b builder) judge(ctx context.Context, dir string, c *candidate) error {
	main := filepath.Join(dir, render.Main)
	texts := textsOf(c.files, dir)
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
	c.remarks = append(c.remarks, undercut(c.effective, c.settings)...)
	return bindable(c.listeners, b.bound)
}

// understand records what Dovecot makes of the candidate.
func (b builder) understand(ctx context.Context, main, dir string, c *candidate) (err error) {
	names := slices.Concat(dovecot.PortSettings(), limitNames(c.sizes), slices.Collect(maps.Keys(ownedSettings(c.settings))), []string{"listen", "protocols"})
	if c.effective, err = b.dovecot.Effective(ctx, main, names...); err != nil {
		return err
	}
	dump, err := b.dovecot.Dump(ctx, main, true)
	if err != nil {
		return err
	}
	maps.Copy(c.effective, dovecot.ParseDump(dump))
	c.effect = effect(dump, c.files, c.references, dir)
	c.listeners = c.effective.Listeners()
	return nil
}

// undercut names the protocols that hold fewer sessions than was asked for,
// because an override says so.
func undercut(effective dovecot.Settings, s settings.Settings) finding.List {
	var remarks finding.List
	for _, p := range s.Ask() {
		for _, service := range p.Services() {
			processes, clients, _, ok := effective.Limits(service)
			if ok && processes*clients < p.Sessions {
				remarks = append(remarks, remark(finding.Undercut, "", fmt.Sprintf("an override limits %s to %d sessions (service %s: process_limit %d × client_limit %d), and %d were asked for",
					p.Name, processes*clients, service, processes, clients, p.Sessions)))
				break
			}
		}
	}
	return remarks
}

// effect sums up what Dovecot makes of the files, and the files it reads later.
func effect(dump string, files render.Files, references []string, dir string) [sha256.Size]byte {
	h := sha256.New()
	h.Write(contentsOf(references))
	fmt.Fprintln(h, strings.ReplaceAll(dump, dir, "\x00"))
	for _, f := range files {
		if filepath.Ext(f.Name) != ".conf" && f.Name != render.Place {
			fmt.Fprintf(h, "%q %d\n%s\n", f.Name, len(f.Data), f.Data)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// rehearse has a private Dovecot serve the candidate before any user meets it.
func (b builder) rehearse(ctx context.Context, dir string, c *candidate) error {
	found, err := b.dovecot.Rehearse(ctx, dovecot.Rehearsal{
		Dir: b.rehearsal,
		UID: b.identity.mailUID(c.settings), GID: b.identity.mailGID(c.settings),
		Texts: textsOf(c.files, dir), Effective: c.effective,
	}, dir, render.Main)
	switch {
	case err == nil && len(found) > 0:
		return found
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

func baseDir(s settings.Settings) string      { return filepath.Join(string(s.RunDir), "dovecot") }
func dovecotState(s settings.Settings) string { return filepath.Join(string(s.StateDir), "dovecot") }

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

func publishFiles(files render.Files) []publish.File {
	out := make([]publish.File, len(files))
	for i, f := range files {
		out[i] = publish.File{Name: f.Name, Data: f.Data, Mode: f.Mode}
	}
	return out
}

func textsOf(files render.Files, dir string) dovecot.Texts {
	var texts dovecot.Texts
	for _, f := range files {
		if filepath.Ext(f.Name) == ".conf" {
			mine := filepath.Dir(f.Name) == "overrides"
			texts = append(texts, dovecot.Text{Path: filepath.Join(dir, f.Name), Origin: f.Origin, Mine: mine, Data: f.Data})
		}
	}
	return texts
}

// sentences are the single complaints of an error, one per line of the log.
func sentences(err error) []string {
	var list finding.List
	var faults settings.Faults
	switch joined, isJoined := err.(interface{ Unwrap() []error }); {
	case errors.As(err, &list) && !isJoined:
		return each(list)
	case errors.As(err, &faults) && !isJoined:
		return each(faults)
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

// tempStore is a store of its own for commands that publish nothing.
func tempStore(gid int) (store *publish.Store, remove func(), err error) {
	dir, err := os.MkdirTemp("", "pidgeon-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	// Dovecot's users have to get through to the rehearsal; a generation lets
	// only its own group in.
	if err := os.Chmod(dir, 0o755); err != nil {
		remove()
		return nil, nil, err
	}
	store, err = publish.Open(dir, gid)
	if err != nil {
		remove()
	}
	return store, remove, err
}
