// Package candidate is a configuration on its way to Dovecot: what it is made of is
// read, a candidate is rendered from it, staged, and judged. Each stage takes values
// and returns a value. What follows from a verdict is for others; nothing here
// publishes anything or touches the Dovecot that runs.
package candidate

import (
	"crypto/sha256"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// Host is where candidates are made and judged. It stays the same while a container
// lives.
type Host struct {
	Version   string // pidgeon's
	Environ   []string
	Fixed     map[string]string // what settings.Reload keeps
	Facts     container.Facts
	Dovecot   *dovecot.Dovecot
	Templates fs.FS // of Dovecot's dialect
	Run       dovecot.Runner

	SelfSigned string // the directory of the certificate that is made where there is none
	Rehearsal  string // the directory of a rehearsal, which makes and removes it
}

// Live is what the Dovecot that runs has to do with the judgement of another
// candidate; the zero value is that none runs.
type Live struct {
	Running   bool                  `json:"running"`
	Serving   bool                  `json:"serving"`  // what runs was judged
	Conf      string                `json:"conf"`     // DOVECOT_CONF
	BaseDir   string                `json:"base_dir"` // Dovecot's
	Listeners []config.Listener     `json:"listeners"`
	Overrides map[string]config.Sum `json:"overrides"` // that it has, by the names of their files
	Backends  BackendLookup         `json:"backends,omitzero"`
}

// Candidate is a configuration that Dovecot may come to run.
type Candidate struct {
	Sources
	Dir                 string // where it lies, or will
	Demand              []sizing.Protocol
	Sizes               sizing.Sizes
	OverrideDefinitions config.OverrideDefinitions // of the overrides
	Files               config.Files
	Lint                *lint.Config // what the files say
}

// Build makes a candidate for dir. The error is a finding.List, and names what cannot
// be rendered.
func (h Host) Build(in Sources, dir string) (Candidate, error) {
	if in.Settings.HasOperatorConfig() { // how much it has to hold, its own limits say too
		if len(in.OperatorConfig.Files) == 0 {
			return Candidate{Sources: in}, in.Faults
		}
		return h.build(Candidate{Sources: in}, dir)
	}
	demand := h.Demand(in, in.Settings.Demand())
	if when := h.submissionCrashes(in.Settings); when != "" && in.Settings.Protocols.Has("submission") && in.Settings.SubmissionMode == sizing.Performance {
		in.Warnings = append(slices.Clip(in.Warnings), finding.Warn(finding.Environment, "",
			"SUBMISSION_MODE=performance is not used: submission-login of "+when+", with all its sessions; secure gives each a process"))
	}
	c, err := h.build(Candidate{Sources: in, Demand: demand, Sizes: sizing.Size(demand, h.Facts.Machine)}, dir)
	if len(in.Settings.Users) == 0 && len(in.Settings.Auth) == 1 && in.Settings.Auth.Has("users") && !in.Settings.Proxy() && !c.OverrideDefinitions.Passdb {
		c.Warnings = append(slices.Clip(c.Warnings), finding.Warn(finding.Remark, "",
			"nobody can log in: add a user with USERS=name:password, or name another database with AUTH"))
	}
	return c, err
}

// build renders once more where overrides turn out to bring what templates give way to.
func (h Host) build(c Candidate, dir string) (Candidate, error) {
	for again := true; ; again = false {
		files, err := render.Render(h.Input(c, dir))
		if err == nil {
			files, err = h.carriedOver(&c, files)
		}
		brought := rewriteForMainFile(files)
		c.Dir, c.Files, c.Lint = dir, files, lint.Parse(files, dir)
		c.Lint.ReadDefinitions(&brought)
		demand := ready(c.Demand, c.Lint)
		if err != nil || !again || c.Settings.HasOperatorConfig() || brought == c.OverrideDefinitions && slices.Equal(demand, c.Demand) {
			return c, err
		}
		if c.OverrideDefinitions = brought; !slices.Equal(demand, c.Demand) {
			c.Demand, c.Sizes = demand, sizing.Size(demand, h.Facts.Machine)
		}
	}
}

// carriedOver are files with what the operator's templates made in 2.4's words.
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

// ready adds the processes that overrides want kept ready.
func ready(demand []sizing.Protocol, overrides *lint.Config) []sizing.Protocol {
	demand = slices.Clone(demand)
	for i, p := range demand {
		of := config.ProtocolNamed(p.Name)
		demand[i].LoginReady, demand[i].SessionReady = overrides.ReadyProcesses(of.Login), overrides.ReadyProcesses(of.Session)
	}
	return demand
}

// Input is what the candidate's files are rendered from.
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

// anyValues is the map as sprig's functions want it.
func anyValues(m map[string]string) map[string]any {
	values := make(map[string]any, len(m))
	for k, v := range m {
		values[k] = v
	}
	return values
}

// without leaves out the files that are at fault, so that what else is wrong can be
// told.
func (in Sources) without(faults finding.List) Sources {
	faulty := func(f config.File) bool {
		return slices.ContainsFunc(faults, func(at finding.Finding) bool { return at.File == f.Origin })
	}
	in.Overrides.Conf = slices.DeleteFunc(slices.Clone(in.Overrides.Conf), faulty)
	in.Overrides.Templates = slices.DeleteFunc(slices.Clone(in.Overrides.Templates), faulty)
	return in
}

// written are the files of the operator's that count.
func (in Sources) written() config.Files {
	return slices.Concat(in.Overrides.Conf, in.Overrides.Templates, in.OperatorConfig.Files, in.Scripts)
}

// templates are the paths of the operator's templates.
func (in Sources) templates() (paths []string) {
	for _, f := range slices.Concat(in.Overrides.Conf, in.Overrides.Templates) {
		if strings.HasSuffix(f.Name, ".tmpl") || strings.HasPrefix(f.Name, mount.TemplatesDir+"/") {
			paths = append(paths, f.Origin)
		}
	}
	return paths
}

// digests tell which overrides a configuration has.
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

// Demand is what each protocol has to hold, as this Dovecot can do it in this
// container with these overrides: what there is no room for is not let in.
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

// submissionCrashes tells when a submission-login ends, and all its sessions with it. In
// secure mode it has but one. When it is full, it ends with signal 11: seen on 2.4.1, not on
// 2.3.19; later versions of 2.4 have the same code. A backend that cannot reach its relay
// says so in the moment of the login, and goes: 3 of 9 such logins ended a proxy's process
// with a panic in login_proxy_detach on 2.3.19 and on 2.4.1, and none on 2.4.5.
func (h Host) submissionCrashes(s settings.Settings) string {
	switch {
	case h.Dovecot.Dialect == "2.4":
		return "Dovecot 2.4 crashes when it is full"
	case s.Proxy():
		return "a proxy crashes when a backend cannot reach its relay"
	}
	return ""
}

// elsewhere are words by which an override may say that not all mail belongs to
// one system user, or includes a file that does.
var elsewhere = regexp.MustCompile(`userdb|passdb|mail_uid|mail_gid|!include`)

// ownUIDs are words by which SQL_USER_QUERY may say so.
var ownUIDs = regexp.MustCompile(`(?i)\b[ug]id\b|\*`)

// oneOwner tells whether all users share a system user. Only then may a session
// process serve several of them: it cannot go back to another user (2.3.19, 2.4.1).
func (in Sources) oneOwner() bool {
	s := in.Settings
	if slices.ContainsFunc(s.Users, func(u settings.User) bool { return u.UID != 0 && u.UID != s.MailUID }) ||
		s.Auth.Has("sql") && ownUIDs.MatchString(string(s.SQLUserQuery)) {
		return false
	}
	return !slices.ContainsFunc(in.written(), func(f config.File) bool { return elsewhere.Match(f.Data) })
}
