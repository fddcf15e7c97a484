package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/publish"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// candidate is a configuration on its way to Dovecot.
type candidate struct {
	settings   settings.Settings
	asked      []sizing.Protocol
	sizes      sizing.Sizes
	files      config.Files
	digest     config.Sum
	references []string     // files elsewhere that it names
	remarks    finding.List // that refuse nothing
	listeners  []dovecot.Listener
	effective  dovecot.Settings
	effect     config.Sum // what Dovecot would do: the same for two candidates that differ in nothing but words
	overrides  []string   // those that are in it
	expires    time.Time  // when its certificate does
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
	selfSigned string                // where a self-signed certificate is kept
	rehearsal  string                // where candidates are rehearsed
	bound      []dovecot.Listener    // what Dovecot listens on already
	cold       bool                  // nothing runs yet
	running    map[string]config.Sum // the overrides that Dovecot runs with
	ahead      config.Sum            // what Dovecot was started with, and is to be judged yet
	// proven is the origin of what last worked, at a start alone: it need not be
	// rehearsed again.
	proven string
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

// render makes the files for the generation dir.
func (b builder) render(in sources, sizes sizing.Sizes, dir string) (config.Files, error) {
	s := in.settings
	return render.Render(render.Input{
		Builtin:   b.builtin,
		Templates: in.tree.Templates,
		Overrides: in.tree.Conf,
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

// build makes a candidate for dir out of what was read; it is not checked yet.
func (b builder) build(in sources, dir string) (candidate, error) {
	c := candidate{settings: in.settings, remarks: in.remarks, expires: in.pair.NotAfter}
	c.asked = b.asked(in)
	if in.settings.Protocols.Has("submission") && in.settings.SubmissionMode == sizing.Performance && b.crashesWhenFull() {
		c.remarks = append(c.remarks, remark(finding.Environment, "", "SUBMISSION_MODE=performance is not used: submission-login of Dovecot 2.4 crashes when it is full, with all its sessions; secure gives each a process"))
	}
	c.sizes = sizing.Size(c.asked, b.machine)
	for _, f := range in.tree.Conf {
		c.overrides = append(c.overrides, f.Name)
	}
	var err error
	c.files, err = b.render(in, c.sizes, dir)
	c.references = textsOf(c.files, dir).References()
	configuration := c.files.Digest(dir)
	c.digest = config.Sum(sha256.Sum256(append(configuration[:], contentsOf(c.references)...)))
	return c, err
}

// check stages the candidate in the store and has Dovecot judge it there. The
// error is a finding.List when the candidate is at fault. A refused candidate
// leaves nothing in the store.
func (b builder) check(ctx context.Context, store *publish.Store, in sources, c *candidate) (dir string, err error) {
	dir, err = store.Stage(b.staged(*c))
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
	effective, err := b.dovecot.Effective(ctx, filepath.Join(dir, config.Main), c.asks()...)
	if err != nil {
		return dir, nil
	}
	followed := c.sizes.Follow(loginServices(effective, c.sizes), c.asked, b.machine)
	if followed.Equal(c.sizes) {
		c.effective = effective
		return dir, nil
	}
	if err := store.Discard(dir); err != nil {
		return "", err
	}
	c.sizes = followed
	if c.files, err = b.render(in, followed, store.Next()); err != nil {
		return "", err
	}
	return store.Stage(b.staged(*c))
}

func baseDir(s settings.Settings) string      { return filepath.Join(string(s.RunDir), "dovecot") }
func dovecotState(s settings.Settings) string { return filepath.Join(string(s.StateDir), "dovecot") }

// originName is a file beside a configuration that holds its origin.
const originName = "origin"

// staged is what a generation holds.
func (b builder) staged(c candidate) config.Files {
	return append(slices.Clone(c.files), config.File{Name: originName, Data: []byte(b.origin(c)), Mode: 0o640})
}

// origin sums up what a candidate was made from, and which programs judged it. It is
// never empty.
func (b builder) origin(c candidate) string {
	return hex.EncodeToString(c.digest[:]) + " " + b.dovecot.Version + " " + version
}

func textsOf(files config.Files, dir string) dovecot.Texts {
	var texts dovecot.Texts
	for _, f := range files {
		if filepath.Ext(f.Name) == ".conf" {
			texts = append(texts, dovecot.Text{Path: filepath.Join(dir, f.Name), Origin: f.Origin, Mine: f.Override, Data: f.Data})
		}
	}
	return texts
}
