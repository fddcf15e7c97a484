package candidate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"pidgeon/certificate"
	"pidgeon/config"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
	"pidgeon/mount"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/supervise"
)

// Sources are the inputs of a candidate, read once.
type Sources struct {
	Settings       settings.Settings
	Overrides      mount.Tree
	Scripts        config.Files        // for Sieve
	OperatorConfig lint.OperatorConfig // of DOVECOT_CONF
	Certificate    certificate.Pair
	Backends       BackendLookup
	SNIPairs       []render.SNIPair
	sniExpires     map[string]time.Time // of SNIPairs, by their names
	sniDirs        []string             // that SNIPairs are read from
	Warnings       finding.List
	Faults         finding.List // of sources that could not be read; the others are complete

	CarriedOver []string // overrides that were converted to 2.4, each with its number of settings
	MergedFiles []string // files that the conversion has merged into overrides

	loaded settings.Settings // as they were loaded, for the next reading; empty if they are at fault

	torn bool // the overrides changed while they were read
}

// forgetful are versions whose proxies lose sessions over TLS: of 100 sessions with eight
// clients at once 11 to 26 got no answer any more on 2.4.1, 0 to 2 in secure mode, and none
// on 2.3.19, on 2.4.5, or without TLS to the backend. 2.4.2 to 2.4.4 were not tried.
var forgetful = lazyregexp.New(`^2\.4\.[0-4]$`)

// Read reads all sources once, and collects their faults. It returns an error only if the
// settings are at fault, because these say where the other sources are.
func (h Host) Read(live Live) (Sources, error) {
	return h.readAgain(live, Sources{Backends: live.Backends})
}

// readAgain is Read after another reading.
func (h Host) readAgain(live Live, before Sources) (Sources, error) {
	s, err := settings.Reload(h.Environ, h.Fixed, before.loaded)
	if err != nil {
		return Sources{Settings: s}, err
	}
	in := Sources{Settings: s, loaded: s}
	for _, note := range s.Notes {
		in.warn(finding.Environment, "", note)
	}
	if listen, without := WithoutIPv6(s.Listen); without {
		in.Settings.Listen = listen
		in.warn(finding.CannotListen, "", "this container has no IPv6: listening on IPv4 alone")
	}
	if s.Proxy() && s.BackendTLS != "no" && forgetful.MatchString(h.Dovecot.Version) {
		in.warn(finding.Remark, "", "proxies of Dovecot "+h.Dovecot.Version+" forget sessions that they pass on over TLS, at the login or later: "+
			"use Dovecot 2.3 or 2.4.5 for them, or BACKEND_TLS=no in an encrypted network")
	}
	var found finding.List
	in.Settings, in.Backends, found = LookUpBackends(in.Settings, before.Backends)
	in.Warnings, in.Faults = append(in.Warnings, found.Warnings()...), append(in.Faults, found.Faults()...)
	in.readOverrides(live)
	if s.HasOperatorConfig() {
		own, faults := lint.ReadOperatorConfig(string(s.DovecotConf))
		in.OperatorConfig, in.Faults = own, append(in.Faults, faults...)
	}
	if h.whenRead != nil {
		h.whenRead(in.written())
	}
	if h.Dovecot.Dialect == "2.4" && s.CarryOver == "yes" {
		in.Overrides.Conf = in.carriedOver(in.Overrides.Conf, ".conf", string(s.OverridesDir))
		in.OperatorConfig.Files = in.carriedOver(in.OperatorConfig.Files, ".conf", filepath.Dir(string(s.DovecotConf)))
	}
	if s.HasOperatorConfig() {
		return in, nil
	}
	in.readScripts("before", s.SieveBefore)
	in.readScripts("after", s.SieveAfter)
	in.findPrograms(s.SpamLearnDir)
	in.readCertificate(h.SelfSigned, live)
	in.readSNIPairs()
	return in, nil
}

func (in *Sources) warn(code finding.Code, file, problem string) {
	in.Warnings = append(in.Warnings, finding.Warn(code, file, problem, ""))
}

// A half-written file shows only if its writer goes on between two readings.
const (
	pause    = 50 * time.Millisecond
	readings = 40
)

// ReadStable reads until two readings agree, faults included, because a renewal writes a
// certificate and its key one after the other. stable is false if no two readings agree.
func (h Host) ReadStable(ctx context.Context, live Live) (in Sources, stable bool, err error) {
	in, err = h.Read(live)
	for range readings {
		before := h.fingerprint(in, err, nil)
		if supervise.Sleep(ctx, pause); ctx.Err() != nil {
			return in, true, context.Cause(ctx)
		}
		if in, err = h.readAgain(live, in); h.fingerprint(in, err, nil) == before && !in.torn {
			return in, true, err
		}
	}
	return in, false, err
}

// unstable is the verdict on sources that change with each reading.
func unstable(in Sources) Verdict {
	return Verdict{Outcome: Undecided, Findings: append(in.Warnings, finding.Finding{
		Code: finding.CheckFailed, File: string(in.Settings.OverridesDir),
		Problem: fmt.Sprintf("the files change all the time: no two readings in %v agree", readings*pause),
		Hint:    "what is in force stays until they rest for a moment",
	})}.withWatchedPaths(in)
}

// fingerprint identifies the input of a judgement: the sources, the files that they refer
// to, and the versions of pidgeon and Dovecot. Of the environment only known variables count,
// because HOSTNAME differs in each new container; with templates of the operator's, which
// may use any variable, all of them count.
func (h Host) fingerprint(in Sources, err error, references []string) config.Sum {
	sum := sha256.New()
	fmt.Fprintln(sum, h.Version, h.Dovecot.Version, h.Facts, err, in.Faults)
	_ = fs.WalkDir(h.Templates, ".", func(name string, _ fs.DirEntry, _ error) error {
		text, _ := fs.ReadFile(h.Templates, name)
		fmt.Fprintf(sum, "%q %q\n", name, text)
		return nil
	})
	names := slices.Sorted(maps.Keys(in.Settings.Environ))
	if len(in.templates()) == 0 {
		names = nil
		for _, v := range settings.Variables() {
			names = append(names, v.Name)
		}
	}
	for _, name := range names {
		value := in.Settings.Environ[name] // unquoted, because quoting 50,000 USERS took 36 ms
		fmt.Fprintf(sum, "%s=%d\n%s\n", name, len(value), value)
	}
	for _, f := range in.written() {
		fmt.Fprintf(sum, "%q %q\n", f.Name, f.Data)
	}
	fmt.Fprintln(sum, in.Settings.Hostname, in.Settings.Listen, in.Settings.Backends)
	fmt.Fprintf(sum, "%q %q\n", in.Certificate.Certificate, in.Certificate.Key)
	fmt.Fprintf(sum, "%q\n", in.SNIPairs)
	sum.Write(contentsOf(references))
	return config.SumOf(sum)
}
