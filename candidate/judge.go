package candidate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/dovecot/rehearsal"
	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/sizing"
	"pidgeon/supervise"
)

// Limits of a judging process. text/template has none for a template that loops for ever or
// fills the memory.
const (
	RenderTimeout = 5 * time.Second
	MaxMemory     = 192 << 20 // bytes of data; a judgement takes some 20 MiB
)

// refusalDelay is how long the sources of a refused candidate must stay the same before the
// refusal is reported, because half-written files are usually refused. A second look after
// the judgement brought an edit into force 0.2 s earlier than a longer wait before it.
const refusalDelay = 300 * time.Millisecond

// Judge builds a candidate from the sources, stages it in store, and judges it. A candidate
// that does not pass is removed from the store. say gets the verdict that counts if the next
// step ends the process: Judge exits when rendering takes too long.
func (h Host) Judge(ctx context.Context, store *publish.Store, r Request, say func(Verdict)) Verdict {
	say(interrupted(nil))
	h.whenRead = func(files config.Files) { say(interrupted(files)) }
	good, hasGood, _ := LoadLastGood(r.StateDir)
	if !r.Live.Running {
		r.Live.Overrides = good.Verdict.Digests // which worked, so an override that differs is at fault
	}
	switch {
	case r.Regardless:
		return h.stageRefused(ctx, store)
	case r.LastGood && !hasGood:
		return Verdict{Outcome: Refused}
	case r.LastGood:
		return h.judgeGood(ctx, store, r, good)
	case r.Trust:
		if v, ok := h.trust(ctx, store, good, hasGood); ok {
			return v
		}
	}
	in, stable, err := h.ReadStable(ctx, r.Live)
	if !stable {
		return unstable(in)
	}
	v := h.judge(ctx, store, r, in, err, say)
	if r.AwaitStable && v.Outcome != Passed && v.Outcome != Unchanged {
		supervise.Sleep(ctx, refusalDelay)
	}
	now, err := h.readAgain(r.Live, in)
	v.SourcesMoved = r.AwaitStable && h.fingerprint(now, err, v.References) != v.Fingerprint
	return v
}

// fewFiles is how many of the largest files an interrupted judgement names.
const fewFiles = 3

// interrupted is the verdict that counts if the process is ended while it judges files.
func interrupted(files config.Files) Verdict {
	f := finding.Finding{Code: finding.CheckFailed, Hint: "leave out what is large, or includes much; it is tried again"}
	what := "the check"
	if len(files) > 0 {
		largest := slices.SortedStableFunc(slices.Values(files), func(a, b config.File) int { return len(b.Data) - len(a.Data) })
		what = fmt.Sprintf("the check of %d files, of up to %d KiB,", len(files), len(largest[0].Data)>>10)
		var names []string
		for _, file := range largest[:min(len(largest), fewFiles)] {
			names = append(names, file.Origin)
		}
		f.File = strings.Join(names, ", ")
	}
	f.Problem = fmt.Sprintf("%s did not come to an end within %v and %d MiB", what, patience, MaxMemory>>20)
	return Verdict{Outcome: Undecided, Slow: true, Findings: finding.List{f}}
}

func (h Host) judge(ctx context.Context, store *publish.Store, r Request, in Sources, err error, say func(Verdict)) Verdict {
	for _, k := range r.AlreadyJudged {
		if h.fingerprint(in, err, k.References) == k.Fingerprint {
			return Verdict{Outcome: Unchanged, SourcesID: k, Findings: k.withoutNamed(in.Warnings)}.withWatchedPaths(in)
		}
	}
	v := Verdict{SourcesID: SourcesID{Fingerprint: h.fingerprint(in, err, nil)}, all: r.AllWarnings, hidden: in.hiddenValues()}.withWatchedPaths(in)
	if err != nil {
		return v.with(in.Warnings, err).with(append(in.Warnings, finding.Of(err)...), nil)
	}
	found := append(slices.Clip(in.Warnings), in.Faults...)
	if in.Settings.HasOperatorConfig() && len(in.OperatorConfig.Files) == 0 {
		return v.with(found, nil)
	}
	c, faults := h.renderInTime(in, store.Next(), func(overdue finding.List) { say(v.with(append(found, overdue...), nil)) })
	if found = append(found, faults...); c.Files == nil {
		return v.with(found, nil)
	}
	v.References, v.MountReferences = c.referencedFiles(), c.named()
	found = v.withoutNamed(found)
	v.Fingerprint = h.fingerprint(in, nil, v.References)
	v = v.withWatchedPaths(in)
	undecided := interrupted(in.written())
	undecided.SourcesID, undecided.WatchDirs, undecided.WatchFiles = v.SourcesID, v.WatchDirs, v.WatchFiles
	say(undecided)
	if tooMuch := c.Lint.TooMuch(); len(tooMuch) > 0 {
		return v.with(append(found, c.asWritten(tooMuch)...), nil)
	}
	c, effective, err := h.Stage(ctx, store, c)
	if err != nil {
		return v.with(found, err)
	}
	m, more, err := h.Check(ctx, c, effective, r)
	v = h.describe(v, c, m).with(append(append(found, c.Warnings[len(in.Warnings):]...), more...), err)
	v.Slow = errors.Is(err, rehearsal.ErrSlow)
	return v.keepIfPassed(store, c.Dir)
}

// renderInTime builds a candidate, without the templates that fail, and returns the faults
// of these. A candidate without Files could not be built at all.
func (h Host) renderInTime(in Sources, dir string, say func(overdue finding.List)) (Candidate, finding.List) {
	if tried := in.templates(); len(tried) > 0 {
		say(finding.List{{
			Code: finding.TemplateError, File: strings.Join(tried, ", "),
			Problem: fmt.Sprintf("rendering takes more than %v or %d MiB", RenderTimeout, MaxMemory>>20),
			Hint:    "look for a loop that does not end, or that doubles a text",
		}})
		defer time.AfterFunc(RenderTimeout, func() { os.Exit(1) }).Stop()
	}
	c, err := h.Build(in, dir)
	faults := finding.Of(err)
	if err != nil {
		if c, err = h.Build(in.without(faults), dir); err != nil {
			c.Files = nil
		}
	}
	return c, faults
}

// Stage writes the candidate, and again with other sizes if an override has changed how
// many can log in. What cannot be read back is left for the check to complain of.
func (h Host) Stage(ctx context.Context, store *publish.Store, c Candidate) (Candidate, dovecot.Reading, error) {
	unread := dovecot.Reading{}
	if _, err := store.Stage(c.Files); err != nil {
		return c, unread, err
	}
	effective, err := h.Dovecot.Effective(ctx, c.main(), c.queried()...)
	if err != nil {
		return c, unread, nil
	}
	rendered := c.Sizes
	if c.Settings.HasOperatorConfig() {
		c = h.sizeOperatorConfig(c, effective.Settings)
	} else {
		c.Sizes = c.Sizes.Resize(inForce(effective.Settings, c.Sizes), c.Demand, h.Facts.Machine)
	}
	if c.Sizes.Equal(rendered) {
		return c, effective, nil
	}
	if err := store.Discard(c.Dir); err != nil {
		return c, unread, err
	}
	if c, err = h.build(c, store.Next()); err == nil {
		_, err = store.Stage(c.Files)
	}
	return c, unread, err
}

// referencedFiles are the files outside of the candidate that Dovecot reads.
func (c Candidate) referencedFiles() []string {
	return slices.Concat(c.Lint.References(), c.Lint.FilesDovecotWatches())
}

func (c Candidate) main() string { return filepath.Join(c.Dir, config.Main) }

func inForce(effective dovecot.Settings, sizes sizing.Sizes) []sizing.Service {
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

// named are files of the mount that overrides name and that are no overrides themselves.
func (c Candidate) named() (paths []string) {
	for _, entry := range c.Overrides.Ignored {
		if c.Lint.NamesPath(entry.Path) {
			paths = append(paths, entry.Path)
		}
	}
	return paths
}

// withoutNamed drops the finding that a file of the mount is ignored if an override names
// it, because Dovecot reads it then.
func (k SourcesID) withoutNamed(found finding.List) finding.List {
	return slices.DeleteFunc(slices.Clone(found), func(f finding.Finding) bool {
		return f.Code == finding.IgnoredFile && slices.Contains(k.MountReferences, f.File)
	})
}

// describe adds the description of a candidate to a verdict.
func (h Host) describe(v Verdict, c Candidate, m Interpretation) Verdict {
	v.Effect, v.Listeners, v.Demand = m.Effect, m.Listeners, c.Demand
	v.BaseDir = cmp.Or(m.Effective["base_dir"], c.Settings.BaseDir())
	v.Anvil = m.Effective.Anvil()
	v.StateDir = cmp.Or(m.Effective["state_dir"], c.Settings.DovecotState())
	v.Ceilings, v.Capacity = h.ceilings(c, m)
	v.CertificateExpires, v.SNIExpires = c.Certificate.NotAfter, c.sniExpires
	v.CarriedOver = c.CarriedOver
	v.Overrides, v.Digests, v.Files = nil, digests(c.Files), slices.Clone(c.Files)
	for _, f := range c.Overrides.Conf {
		v.Overrides = append(v.Overrides, f.Name)
	}
	for i := range v.Files {
		v.Files[i].Data = nil
	}
	return v
}

// keepIfPassed adds the staged directory to a verdict that passed, and removes it otherwise.
func (v Verdict) keepIfPassed(store *publish.Store, dir string) Verdict {
	if v.Outcome == Passed {
		v.Dir = dir
	} else if err := store.Discard(dir); err != nil {
		v.Findings = append(v.Findings, finding.Of(err)...)
	}
	return v
}

// withWatchedPaths adds the directories and files to watch to a verdict.
func (v Verdict) withWatchedPaths(in Sources) Verdict {
	s := in.Settings
	v.Backends = in.Backends
	v.WatchDirs, v.WatchFiles = slices.Clone(in.OperatorConfig.Dirs), slices.Concat(s.Files, v.References, in.OperatorConfig.Included, in.MergedFiles)
	if s.OverridesDir != "" {
		v.WatchDirs = append(v.WatchDirs, mount.Dirs(string(s.OverridesDir))...)
	}
	v.WatchDirs = append(v.WatchDirs, in.sniDirs...)
	for _, pair := range in.SNIPairs {
		v.WatchFiles = append(v.WatchFiles, pair.CertPath, pair.KeyPath)
	}
	for _, dir := range []settings.Path{s.SieveBefore, s.SieveAfter, s.SpamLearnDir} {
		if dir != "" {
			v.WatchDirs = append(v.WatchDirs, string(dir))
		}
	}
	for _, path := range []string{string(s.TLSCertPath), string(s.TLSKeyPath), string(s.DovecotConf)} {
		if path != "" {
			v.WatchFiles = append(v.WatchFiles, path)
		}
	}
	return v
}

// judgeGood judges the last good configuration, because it may come from another version of
// Dovecot, or depend on files that have changed.
func (h Host) judgeGood(ctx context.Context, store *publish.Store, r Request, good LastGood) Verdict {
	in, err := h.Read(Live{})
	if err != nil {
		return Verdict{}.with(finding.Of(err), nil)
	}
	c := Candidate{Sources: Sources{Settings: in.Settings}, Dir: store.Next()}
	c.Demand = h.Demand(c.Sources, in.Settings.Demand())
	c.Sizes = sizing.Size(c.Demand, h.Facts.Machine)
	c.Files = good.Relocate(c.Dir, in.Settings)
	c.Lint = lint.Parse(c.Files, c.Dir)
	if _, err := store.Stage(c.Files); err != nil {
		return Verdict{}.with(nil, err)
	}
	effective, err := h.Dovecot.Effective(ctx, c.main(), c.queried()...)
	if err == nil && in.Settings.HasOperatorConfig() {
		c = h.sizeOperatorConfig(c, effective.Settings)
	}
	m, found, err := h.Check(ctx, c, effective, r)
	v := h.describe(Verdict{hidden: in.hiddenValues()}, c, m)
	v.Overrides, v.CertificateExpires, v.SNIExpires = good.Verdict.Overrides, good.Verdict.CertificateExpires, good.Verdict.SNIExpires
	v = v.with(found, err)
	if v.Outcome != Passed {
		v.Findings = finding.Of(fmt.Errorf("using the last good configuration: %w", v.Findings.Faults()))
	}
	return v.keepIfPassed(store, c.Dir)
}

// stageRefused stages the operator's own configuration though it has faults, unless Dovecot
// would not start with it, or pidgeon could not tell how it does.
func (h Host) stageRefused(ctx context.Context, store *publish.Store) Verdict {
	v := Verdict{Outcome: Refused}
	in, err := h.Read(Live{})
	if err != nil || len(in.Faults) > 0 {
		return v
	}
	c, err := h.Build(in, store.Next())
	if err != nil || len(c.Lint.TooMuch()) > 0 {
		return v
	}
	c, effective, err := h.Stage(ctx, store, c)
	if err != nil {
		return v
	}
	m, err := h.understand(ctx, c, effective)
	if err != nil || len(slices.Concat(
		m.Effective.UnsetOwned(owned(c.Settings, Live{})), m.Effective.SocketFaults(string(c.Settings.RunDir)), h.bindFaults(ctx, c, m.Listeners, nil),
	)) > 0 {
		return v.keepIfPassed(store, c.Dir)
	}
	v = h.describe(v, c, m)
	v.Dir = c.Dir
	return v
}
