// Package candidate reads the sources of a configuration, renders and stages a candidate,
// and judges it. Each stage takes values and returns a value. Package lifecycle decides what
// follows from a verdict; this package publishes nothing and leaves the running Dovecot
// alone.
package candidate

import (
	"crypto/sha256"
	"io/fs"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
	"pidgeon/mount"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// Host has what all candidates of a container have in common.
type Host struct {
	Version   string // pidgeon's
	Environ   []string
	Fixed     map[string]string // variables that settings.Reload keeps
	Facts     container.Facts
	Dovecot   *dovecot.Dovecot
	Templates fs.FS // of Dovecot's dialect

	SelfSigned string // directory of the self-signed certificate
	Rehearsal  string // directory of a rehearsal, which makes and removes it

	whenRead func(config.Files) // gets the operator's files before they are looked at; may be nil
}

// Live is the part of the running configuration that the judgement of another one needs;
// the zero value means that none runs.
type Live struct {
	Running   bool                  `json:"running"`
	Serving   bool                  `json:"serving"`  // it was judged
	Conf      string                `json:"conf"`     // DOVECOT_CONF
	BaseDir   string                `json:"base_dir"` // Dovecot's
	Anvil     string                `json:"anvil"`    // Settings.Anvil
	Listeners []config.Listener     `json:"listeners"`
	Overrides map[string]config.Sum `json:"overrides"` // by the names of their files
	Backends  BackendLookup         `json:"backends,omitzero"`
}

// Candidate is a rendered configuration that Dovecot does not run yet.
type Candidate struct {
	Sources
	Dir                 string // where it is staged, or will be
	Demand              []sizing.Protocol
	Sizes               sizing.Sizes
	OverrideDefinitions config.OverrideDefinitions
	Files               config.Files
	Lint                *lint.Config // parsed from Files
}

// Build renders a candidate for dir. The error is a finding.List of the templates that fail.
func (h Host) Build(in Sources, dir string) (Candidate, error) {
	if in.Settings.HasOperatorConfig() { // which sizeOperatorConfig sizes, because it has limits of its own
		if len(in.OperatorConfig.Files) == 0 {
			return Candidate{Sources: in}, in.Faults
		}
		return h.build(Candidate{Sources: in}, dir)
	}
	demand := h.Demand(in, in.Settings.Demand())
	if when := h.submissionCrashes(in.Settings); when != "" && in.Settings.Protocols.Has("submission") && in.Settings.SubmissionMode == sizing.Performance {
		in.Warnings = append(slices.Clip(in.Warnings), finding.Warn(finding.Environment, "",
			"SUBMISSION_MODE=performance is not used: submission-login of "+when+", with all its sessions; secure gives each a process", ""))
	}
	c, err := h.build(Candidate{Sources: in, Demand: demand, Sizes: sizing.Size(demand, h.Facts.Machine)}, dir)
	if len(in.Settings.Users) == 0 && len(in.Settings.Auth) == 1 && in.Settings.Auth.Has("users") && !in.Settings.Proxy() && !c.OverrideDefinitions.Passdb {
		c.Warnings = append(slices.Clip(c.Warnings), finding.Warn(finding.Remark, "",
			"nobody can log in: add a user with USERS=name:password, or name another database with AUTH", ""))
	}
	return c, err
}

// build renders a second time if the overrides define what templates leave to them.
func (h Host) build(c Candidate, dir string) (Candidate, error) {
	for again := true; ; again = false {
		files, err := render.Render(h.Input(c, dir))
		if err == nil {
			files, err = h.carriedOver(&c, files)
		}
		brought := rewriteForMainFile(files)
		c.Dir, c.Files, c.Lint = dir, files, lint.Parse(files, dir)
		c.Lint.ReadDefinitions(&brought)
		demand := withProcesses(c.Demand, c.Lint)
		if err != nil || !again || c.Settings.HasOperatorConfig() || brought == c.OverrideDefinitions && slices.Equal(demand, c.Demand) {
			return c, err
		}
		if c.OverrideDefinitions = brought; !slices.Equal(demand, c.Demand) {
			c.Demand, c.Sizes = demand, sizing.Size(demand, h.Facts.Machine)
		}
	}
}

// carriedOver are the files, with the output of the operator's templates converted to 2.4.
func (h Host) carriedOver(c *Candidate, files config.Files) (config.Files, error) {
	if h.Dovecot.Dialect != "2.4" || c.Settings.CarryOver != "yes" || !slices.ContainsFunc(files, func(f config.File) bool { return f.Override && strings.HasSuffix(f.Origin, ".tmpl") }) {
		return files, nil
	}
	in := Sources{Settings: c.Settings}
	files = in.carriedOver(files, ".tmpl", string(c.Settings.OverridesDir))
	if !slices.Contains(c.CarriedOver, strings.Join(in.CarriedOver, "")) {
		c.Warnings, c.CarriedOver, c.MergedFiles = append(slices.Clip(c.Warnings), in.Warnings...), append(slices.Clip(c.CarriedOver), in.CarriedOver...), append(slices.Clip(c.MergedFiles), in.MergedFiles...)
	}
	if len(in.Faults) > 0 {
		return files, in.Faults
	}
	return files, nil
}

// withProcesses sets the numbers of processes that overrides keep ready, and allow.
func withProcesses(demand []sizing.Protocol, overrides *lint.Config) []sizing.Protocol {
	demand = slices.Clone(demand)
	for i, p := range demand {
		of := config.ProtocolNamed(p.Name)
		demand[i].LoginReady, demand[i].SessionReady = overrides.OverrideLimit(of.Login, "process_min_avail"), overrides.OverrideLimit(of.Session, "process_min_avail")
		demand[i].LoginLimit, demand[i].SessionLimit = overrides.OverrideLimit(of.Login, "process_limit"), overrides.OverrideLimit(of.Session, "process_limit")
	}
	return demand
}

// Input is the input of render.Render for a candidate.
func (h Host) Input(c Candidate, dir string) render.Input {
	uid, gid := h.Facts.Identity.MailOwner(c.Settings)
	return render.Input{
		Builtin:        h.Templates,
		Templates:      c.Overrides.Templates,
		Scripts:        c.Scripts,
		Overrides:      c.Overrides.Conf,
		OperatorConfig: c.OperatorConfig.Files,
		Data: render.Data{
			Settings: c.Settings, Sizes: c.Sizes, Env: anyValues(c.Settings.Environ),
			Overrides: c.OverrideDefinitions, Dir: dir, BaseDir: c.Settings.BaseDir(), StateDir: c.Settings.DovecotState(),
			User: h.Facts.Identity.User, Group: h.Facts.Identity.Group,
			MailUID: uid, MailGID: gid,
			Certificate: c.Certificate.Certificate, Key: c.Certificate.Key, SNIPairs: c.SNIPairs,
		},
	}
}

// anyValues is a map of the type that sprig's functions take.
func anyValues(m map[string]string) map[string]any {
	values := make(map[string]any, len(m))
	for k, v := range m {
		values[k] = v
	}
	return values
}

// without leaves out the files that faults name, so that a check can find further faults.
func (in Sources) without(faults finding.List) Sources {
	faulty := func(f config.File) bool {
		return slices.ContainsFunc(faults, func(at finding.Finding) bool { return at.File == f.Origin })
	}
	in.Overrides.Conf = slices.DeleteFunc(slices.Clone(in.Overrides.Conf), faulty)
	in.Overrides.Templates = slices.DeleteFunc(slices.Clone(in.Overrides.Templates), faulty)
	return in
}

func (in Sources) written() config.Files {
	return slices.Concat(in.Overrides.Conf, in.Overrides.Templates, in.OperatorConfig.Files, in.Scripts)
}

func (in Sources) templates() (paths []string) {
	for _, f := range slices.Concat(in.Overrides.Conf, in.Overrides.Templates) {
		if strings.HasSuffix(f.Name, ".tmpl") || strings.HasPrefix(f.Name, mount.TemplatesDir+"/") {
			paths = append(paths, f.Origin)
		}
	}
	return paths
}

// digests are the digests of the overrides, by the names of their files.
func digests(files config.Files) map[string]config.Sum {
	sums := map[string]config.Sum{}
	for _, f := range files {
		if f.Override {
			h := sha256.New()
			h.Write(f.Data)
			sums[f.Name] = config.SumOf(h)
		}
	}
	return sums
}

func (h Host) budget() sizing.Budget { return h.Facts.Budget(h.Dovecot.Dialect) }

// Demand fits the sessions of the protocols to this container, this Dovecot and these
// overrides, so that no session is let in without room for it.
func (h Host) Demand(in Sources, protocols []sizing.Protocol) []sizing.Protocol {
	reuse := in.oneOwner()
	for i, p := range protocols {
		protocols[i].Reuse = reuse
		if p.Name == "submission" && h.submissionCrashes(in.Settings) != "" {
			protocols[i].Mode = sizing.Secure
		}
	}
	return h.budget().Fit(protocols)
}

// submissionCrashes says why submission-login crashes, if it can: in performance mode it
// takes all its sessions along, in secure mode it has only one. A full process ends with
// signal 11 (seen on 2.4.1, not on 2.3.19; later versions of 2.4 have the same code). A
// proxy's process ended with a panic in login_proxy_detach in 3 of 9 logins at a backend
// that could not reach its relay (2.3.19, 2.4.1; none on 2.4.5).
func (h Host) submissionCrashes(s settings.Settings) string {
	switch {
	case h.Dovecot.Dialect == "2.4":
		return "Dovecot 2.4 crashes when it is full"
	case s.Proxy():
		return "a proxy crashes when a backend cannot reach its relay"
	}
	return ""
}

// ownerSettings finds settings of an override that may give users different system users, and
// includes of files that may have such settings.
var ownerSettings = lazyregexp.New(`userdb|passdb|mail_uid|mail_gid|!include`)

// ownUIDs finds columns of SQL_USER_QUERY that may do so.
var ownUIDs = lazyregexp.New(`(?i)\b[ug]id\b|\*`)

// oneOwner reports whether all users share a system user. Only then may a session process
// serve several of them, because it cannot switch to another one (2.3.19, 2.4.1).
func (in Sources) oneOwner() bool {
	s := in.Settings
	if slices.ContainsFunc(s.Users, func(u *settings.User) bool { return u.UID != 0 && u.UID != s.MailUID }) ||
		s.Auth.Has("sql") && ownUIDs.MatchString(string(s.SQLUserQuery)) {
		return false
	}
	return !slices.ContainsFunc(in.written(), func(f config.File) bool { return ownerSettings.Match(f.Data) })
}
