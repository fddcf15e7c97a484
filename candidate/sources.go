package candidate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/certificate"
	"pidgeon/config"
	"pidgeon/dovecot/lint"
	"pidgeon/dovecot/upgrade"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
	"pidgeon/mount"
	"pidgeon/render"
	"pidgeon/settings"
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
	sniDirs        []string // that SNIPairs are read from
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
	in.locateBackends(before.Backends)
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

func (in *Sources) locateBackends(before BackendLookup) {
	s, answer, found := LookUpBackends(in.Settings, before)
	in.Settings, in.Backends = s, answer
	in.Warnings, in.Faults = append(in.Warnings, found.Warnings()...), append(in.Faults, found.Faults()...)
}

func (in *Sources) warn(code finding.Code, file, problem string) {
	in.Warnings = append(in.Warnings, finding.Warn(code, file, problem))
}

// readOverrides reads OVERRIDES_DIR. A missing directory is a fault if the running
// configuration has overrides, because a lost mount must not remove them.
func (in *Sources) readOverrides(live Live) {
	dir := string(in.Settings.OverridesDir)
	tree, err := mount.Read(dir)
	if errors.Is(err, fs.ErrNotExist) && !(live.Running && live.mounted()) {
		in.warn(finding.MissingFile, dir, "the directory does not exist: no overrides")
		err = nil
	}
	in.Overrides, in.torn, in.Faults = tree, errors.Is(err, mount.ErrUnstable), append(in.Faults, finding.Of(err)...)
	for _, ignored := range tree.Ignored {
		in.warn(finding.IgnoredFile, ignored.Path, "is ignored: "+ignored.Reason)
	}
}

// mounted reports whether the running configuration has files of OVERRIDES_DIR.
func (l Live) mounted() bool {
	for name := range l.Overrides {
		if name != config.Main && !strings.HasPrefix(name, config.OperatorConfigDir+"/") {
			return true
		}
	}
	return false
}

// carriedOver converts the files with an extension to 2.4: overrides, or a configuration
// that begins with its main file, or the output of templates. Each line that cannot be
// converted is a fault.
func (in *Sources) carriedOver(files config.Files, ext, dir string) config.Files {
	var roots []string
	whole := len(files) > 0 && files[0].Name == config.Main && ext == ".conf"
	for _, f := range files {
		if (filepath.Ext(f.Name) == ext || ext == ".tmpl" && filepath.Ext(f.Origin) == ext) && (!whole || len(roots) == 0) {
			roots = append(roots, f.Name)
		}
	}
	after := upgrade.Convert(files, roots, whole, func(path string) []byte { return upgrade.ReadNamedFile(dir, path) })
	in.Faults, in.MergedFiles = append(in.Faults, after.NotCarriedOver...), append(in.MergedFiles, after.MergedFiles...)
	in.Warnings = append(in.Warnings, after.Differences...)
	files = slices.Clone(files)
	for _, f := range after.Files {
		i := slices.IndexFunc(files, func(old config.File) bool { return old.Name == f.Name })
		if bytes.Equal(files[i].Data, f.Data) {
			continue
		}
		if files[i] = f; after.FullyCarriedOver(f) {
			n := after.CarriedOver[f.Origin]
			in.Warnings = append(in.Warnings, finding.Finding{
				Code: finding.CarriedOver, File: f.Origin, Warning: true,
				Problem: fmt.Sprintf("carried over from 2.3, %d settings", n), Hint: "pidgeon upgrade keeps it",
			})
			in.CarriedOver = append(in.CarriedOver, fmt.Sprintf("%s, %d settings", f.Origin, n))
		}
	}
	return files
}

// readScripts reads the scripts of a directory that a variable names.
func (in *Sources) readScripts(when string, dir settings.Path) {
	if dir == "" {
		return
	}
	tree, err := mount.ReadScripts(string(dir))
	in.torn, in.Faults = in.torn || errors.Is(err, mount.ErrUnstable), append(in.Faults, finding.Of(err)...)
	for _, f := range tree.Conf {
		f.Name = scriptsDir + when + "/" + f.Name
		in.Scripts = append(in.Scripts, f)
	}
	for _, ignored := range tree.Ignored {
		in.warn(finding.IgnoredFile, ignored.Path, "is ignored: "+ignored.Reason)
	}
}

// findPrograms checks the programs of SPAM_LEARN_DIR, because Dovecot looks for them only
// when a user moves mail.
func (in *Sources) findPrograms(dir settings.Path) {
	if dir == "" {
		return
	}
	for _, name := range []string{"spam", "ham"} {
		path := filepath.Join(string(dir), name)
		if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			in.Faults = append(in.Faults, finding.Finding{
				Code: finding.MissingExecutable, File: path, Problem: "SPAM_LEARN_DIR needs a program there, and none can be executed",
				Hint: "put one there that reads mail from its standard input, and chmod +x it",
			})
		}
	}
}

// readCertificate falls back to a self-signed pair, also for a faulty one, so that the check
// can go on. A running server keeps its self-signed pair, whatever name it has, because mail
// programs may have been told to trust it.
func (in *Sources) readCertificate(selfSigned string, live Live) {
	s := in.Settings
	if s.TLS == "no" {
		return
	}
	pair, err := certificate.Load(string(s.TLSCertPath), string(s.TLSKeyPath))
	if missing := errors.Is(err, fs.ErrNotExist); missing {
		in.warn(finding.SelfSigned, string(s.TLSCertPath), "does not exist: serving a self-signed certificate, which mail programs will warn of")
		err = nil
	}
	in.Faults = append(in.Faults, finding.Of(err)...)
	now := time.Now()
	if kept, ok := certificate.Kept(selfSigned, now); ok && live.Running && pair.Certificate == nil {
		pair = kept
	}
	if pair.Certificate == nil {
		pair, err = certificate.SelfSigned(selfSigned, string(s.Hostname), now)
		in.Faults = append(in.Faults, finding.Of(err)...)
	}
	if pair.NotAfter.Sub(now) < expiryWarning && pair.Certificate != nil {
		in.Warnings = append(in.Warnings, expiry(string(s.TLSCertPath), pair.NotAfter, now))
	}
	in.Certificate = pair
}

// sniName matches directories of TLS_SNI_DIR whose names a client may ask for.
var sniName = lazyregexp.New(`^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// What TLS_SNI_DIR may hold: doveconf 2.3.19 takes more memory than a judgement has to read
// 2,000 names, and PID 1 took 40 MB to watch the directories of 5,000.
const (
	maxSNINames = 1000
	maxSNIBytes = 8 << 20
)

// readSNIPairs reads the certificates of TLS_SNI_DIR, and skips directories with neither a
// certificate nor a key.
func (in *Sources) readSNIPairs() {
	dir := string(in.Settings.TLSSNIDir)
	entries, err := os.ReadDir(dir)
	if in.Settings.TLS == "no" || errors.Is(err, fs.ErrNotExist) {
		return
	}
	in.Faults = append(in.Faults, finding.Of(err)...)
	in.sniDirs = []string{dir}
	size := 0
	for _, entry := range entries {
		below := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(below); err != nil || !info.IsDir() || !sniName.MatchString(entry.Name()) {
			continue
		}
		if in.sniDirs = append(in.sniDirs, below); len(in.sniDirs) > maxSNINames+1 || size > maxSNIBytes {
			in.Faults = append(in.Faults, finding.Finding{
				Code: finding.UnusableCertificate, File: dir, Problem: fmt.Sprintf("more than %d names, or %d MiB of certificates", maxSNINames, maxSNIBytes>>20),
				Hint: "have one certificate for several names, such as *.example.com",
			})
			return
		}
		found := render.SNIPair{Name: entry.Name(), CertPath: filepath.Join(below, "tls.crt"), KeyPath: filepath.Join(below, "tls.key")}
		pair, err := certificate.Load(found.CertPath, found.KeyPath)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if in.Faults = append(in.Faults, finding.Of(err)...); err != nil {
			continue
		}
		if now := time.Now(); pair.NotAfter.Sub(now) < expiryWarning {
			in.Warnings = append(in.Warnings, expiry(found.CertPath, pair.NotAfter, now))
		}
		found.Certificate, found.Key = pair.Certificate, pair.Key
		size += len(pair.Certificate) + len(pair.Key)
		in.SNIPairs = append(in.SNIPairs, found)
	}
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
		if err := sleep(ctx, pause); err != nil {
			return in, true, err
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

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
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

// expiryWarning is how long before a certificate expires a warning is due. Renewals begin 30
// days before, so at 14 days some have failed.
const expiryWarning = 14 * 24 * time.Hour

// expiry warns of a certificate that expires soon or has expired. It is no fault, because
// Dovecot serves an expired certificate, and to refuse it would take mail down.
func expiry(path string, notAfter, now time.Time) finding.Finding {
	date := notAfter.UTC().Format(time.RFC1123)
	if notAfter.Before(now) {
		f := finding.Warn(finding.ExpiredCertificate, path, "the certificate has expired on "+date)
		f.Hint = "renew it: mail programs refuse it"
		return f
	}
	days := int(notAfter.Sub(now).Hours() / 24)
	f := finding.Warn(finding.ExpiringCertificate, path, fmt.Sprintf("the certificate expires on %s, in %d days", date, days))
	f.Hint = "look why it was not renewed"
	return f
}
