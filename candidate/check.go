package candidate

import (
	"context"
	"crypto/sha256"
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
	"pidgeon/lazyregexp"
	"pidgeon/settings"
	"pidgeon/userdb"
)

// Interpretation is a candidate as Dovecot understands it.
type Interpretation struct {
	Effective dovecot.Settings
	Listeners []config.Listener
	Effect    config.Sum // as in Verdict
}

// Check has doveconf read the staged candidate, checks the effective settings, and rehearses
// it. effective may be settings that Stage has asked for. An error means that the check could
// not be made.
func (h Host) Check(ctx context.Context, c Candidate, effective dovecot.Reading, r Request) (Interpretation, finding.List, error) {
	m, found, err := h.read(ctx, c, effective, r)
	if err == nil && len(found.Faults()) == 0 && (r.ProvenFingerprint == "" || r.ProvenFingerprint != h.fingerprint(c.Sources, nil, c.referencedFiles())) {
		asked := make(chan finding.List)
		go func() { asked <- c.askIntrospection(ctx) }()
		var rehearsed finding.List
		rehearsed, err = h.rehearse(ctx, c, m, r.Live)
		found = slices.Concat(found, rehearsed, <-asked)
	}
	return m, c.asWritten(r.Live.attribute(found, c.Files, finding.List.Faults)), r.Live.blame(err, c.Files)
}

// asWritten replaces line numbers of converted files by those of the operator's files.
func (c Candidate) asWritten(found finding.List) finding.List {
	found = slices.Clone(found)
	for i, f := range found {
		found[i].Line = c.Files.Line(f.File, f.Line)
	}
	return found
}

// read is the check without the rehearsal. It ends at the first group of checks that finds
// faults, because later groups need a configuration without them.
func (h Host) read(ctx context.Context, c Candidate, effective dovecot.Reading, r Request) (m Interpretation, found finding.List, err error) {
	s := c.Settings
	refused := func(more ...finding.Finding) bool {
		found = append(found, more...)
		return len(found.Faults()) > 0
	}
	if refused(referenceFaults(c.Lint.References(), string(s.RunDir))...) {
		return m, found, nil
	}
	said, err := lint.Check(ctx, h.Dovecot, c.main(), c.Lint)
	if err != nil {
		return m, found, err
	}
	owned := owned(s, r.Live)
	said = append(said, c.Lint.OwnedSettingFaults(owned)...)
	if refused(append(said, checkPairs(c.Lint.CertificatePairs(), time.Now())...).Sorted()...) {
		return m, found, nil
	}
	if m, err = h.understand(ctx, c, effective); err != nil {
		return m, found, err
	}
	if said, err = h.compile(ctx, c); err != nil || refused(said...) {
		return m, found, err
	}
	found = append(found, h.compileNamed(ctx, c)...)
	if refused(m.Effective.UnsetOwned(owned)...) || refused(h.pathFaults(c, m.Effective)...) {
		return m, found, nil
	}
	lost := append(c.Lint.LimitFaults(m.Effective), c.Lint.AnvilFaults(m.Effective, r.Live.Anvil)...)
	if s.HasOperatorConfig() {
		lost = slices.Concat(lost, closedListeners(r.Live.Listeners, m.Listeners), c.Lint.PassdbFaults(m.Effective))
	} else {
		lost = append(lost, c.Lint.ChangedListeners(m.Effective, requested(s), c.bringsProtocols())...)
	}
	if refused(r.Live.attribute(lost, c.Files, finding.List.Warnings)...) {
		return m, found, nil
	}
	found = append(found, muteListeners(m.Listeners)...)
	found = append(found, limitWarnings(m.Effective, c.Lint.Lines(), c.Demand)...)
	return m, append(found, h.bindFaults(ctx, c, m.Listeners, r.Live.Listeners)...), nil
}

// pathFaults checks the paths of sockets and mail, which doveconf and a rehearsal do not
// touch.
func (h Host) pathFaults(c Candidate, effective dovecot.Settings) finding.List {
	found := effective.SocketFaults(string(c.Settings.RunDir))
	if c.Settings.HasOperatorConfig() { // whose mail may have any owner and place
		return found
	}
	if uid, gid, known := h.mailOwner(c, effective); known {
		found = append(found, h.mailFaults(effective, string(c.Settings.MailDir), uid, gid)...)
		if c.oneOwner() {
			found = append(found, foreignHome(c.Settings.Home(), string(c.Settings.MailDir), uid, gid)...)
		}
	}
	switch {
	case !effective.AnyProtocolOn():
		found = append(found, finding.Warn(finding.ChangedListener, "", "no protocol is on: Dovecot serves other programs on this machine alone, such as with authentication", ""))
	case !c.bringsProtocols() && !slices.ContainsFunc(c.Settings.Protocols, effective.ProtocolOn):
		found = append(found, c.Lint.Blame("protocols", finding.Finding{
			Code:    finding.UnknownProtocol,
			Problem: "an override turns every protocol off that PROTOCOLS names",
			Hint:    "remove the line, and set PROTOCOLS; or, for a whole configuration, set DOVECOT_CONF=FILE",
		}))
	}
	return found
}

// bringsProtocols reports whether an override says which protocols there are, because it is a
// whole configuration, and PROTOCOLS is not set.
func (c Candidate) bringsProtocols() bool {
	return !c.Settings.IsSet("PROTOCOLS") && c.Lint.ProtocolsWithPassdb()
}

// understand asks doveconf for the effective settings of the candidate.
func (h Host) understand(ctx context.Context, c Candidate, effective dovecot.Reading) (m Interpretation, err error) {
	if effective.Settings == nil {
		if effective, err = h.Dovecot.Effective(ctx, c.main(), c.queried()...); err != nil {
			return m, err
		}
	}
	all := c.Lint.WithSockets(effective.Settings)
	listeners := all.Listeners()
	for i, l := range listeners {
		listeners[i].Mute = l.TLS && c.Settings.HasOperatorConfig() && !c.Lint.NamesCertificate()
	}
	return Interpretation{all, listeners, effect(effective.Dump, c)}, nil
}

// effect is the digest of the effective settings, and of the files that Dovecot reads later.
func effect(dump string, c Candidate) config.Sum {
	h := sha256.New()
	h.Write(contentsOf(c.Lint.References()))
	fmt.Fprintln(h, strings.ReplaceAll(dump, c.Dir, "\x00"))
	for _, f := range c.Files {
		if filepath.Ext(f.Name) != ".conf" && f.Name != config.DirFile {
			fmt.Fprintf(h, "%q %d\n%s\n", f.Name, len(f.Data), f.Data)
		}
	}
	return config.SumOf(h)
}

// rehearse has a private Dovecot serve the candidate. A rehearsal that is too slow refuses
// nothing while no Dovecot serves.
func (h Host) rehearse(ctx context.Context, c Candidate, m Interpretation, live Live) (finding.List, error) {
	uid, gid, warned := h.rehearsalOwner(c, m.Effective)
	h.makeBase(ctx, m.Effective)
	found, err := rehearsal.Run(ctx, h.Dovecot, rehearsal.Rehearsal{
		Dir: h.Rehearsal, Candidate: c.Dir, UID: uid, GID: gid, Config: c.Lint, OperatorConfig: c.Settings.HasOperatorConfig(), Effective: m.Effective,
		Domains: c.domains(),
	})
	if errors.Is(err, rehearsal.ErrSlow) && !live.Serving {
		return finding.List{finding.Warn(finding.RehearsalFailed, "", err.Error()+": starting without one, for there is no mail to lose yet", "")}, nil
	}
	return append(warned, c.hintPassword(found)...), err
}

// askIntrospection warns of a server of OAuth2 that is not there, which a rehearsal does not
// need.
func (c Candidate) askIntrospection(ctx context.Context) (found finding.List) {
	if c.Settings.HasOperatorConfig() {
		return nil
	}
	for _, database := range userdb.Databases(c.Settings, c.Dir) {
		if database.Introspection == nil {
			continue
		}
		if err := database.Probe(ctx); err != nil {
			found = append(found, rehearsal.BackendDown(database.Name+": "+err.Error()))
		}
	}
	return found
}

// domains are how the names of USERS end, each with an example: nothing, or a domain. Where an
// override brings a passdb, or there is another database, who can log in is its business.
func (c Candidate) domains() (domains []string) {
	s := c.Settings
	if c.OverrideDefinitions.Passdb || s.Proxy() || s.Backend() || s.HasOperatorConfig() || !s.Auth.Has("users") || len(s.Auth) > 1 {
		return nil
	}
	for _, domain := range []string{"", "@rehearsal.invalid"} {
		if slices.ContainsFunc(s.Users, func(u *settings.User) bool { return strings.Contains(u.Name, "@") == (domain != "") }) {
			domains = append(domains, domain)
		}
	}
	return domains
}

// byLDAP matches what auth logs of an LDAP server: "ldap(/etc/x)", in 2.3.13 "LDAP".
var byLDAP = lazyregexp.New(`: (?:ldap\(|LDAP: )`)

// hintPassword names the variables with the password that a database has refused.
func (c Candidate) hintPassword(found finding.List) finding.List {
	for i, f := range found {
		switch s := c.Settings; {
		case c.OverrideDefinitions.Passdb || c.OverrideDefinitions.Userdb || !rehearsal.IsDatabaseRefusal(f):
		case s.Auth.Has("ldap") && s.LDAPBindDN != "" && byLDAP.MatchString(f.Problem):
			found[i].Hint = "correct LDAP_BIND_DN or LDAP_BIND_PASSWORD"
		case s.Auth.Has("sql") && !byLDAP.MatchString(f.Problem):
			found[i].Hint = "correct SQL_USER or SQL_PASSWORD"
		}
	}
	return found
}

// makeBase makes Dovecot's default base_dir if overrides place sockets there: Dovecot makes
// only the base_dir that it uses.
func (h Host) makeBase(ctx context.Context, effective dovecot.Settings) {
	for _, socket := range effective.Sockets() {
		dir := filepath.Dir(socket.Name)
		if _, err := os.Stat(dir); !filepath.IsAbs(socket.Name) || err == nil {
			continue
		}
		if base, _, _ := h.Dovecot.Default(ctx, "base_dir"); strings.TrimPrefix(dir, "/var") == strings.TrimPrefix(base, "/var") {
			_ = os.MkdirAll(dir, 0o755) // the rehearsal reports a failure
		}
	}
}

// owned are the settings that pidgeon relies on. 2.3.19 panics when base_dir changes on a
// reload.
func owned(s settings.Settings, live Live) map[string]string {
	owned := map[string]string{"log_path": "/dev/stderr", "shutdown_clients": "no"}
	switch {
	case !s.HasOperatorConfig():
		owned["base_dir"], owned["state_dir"], owned["instance_name"] = s.BaseDir(), s.DovecotState(), "dovecot"
	case live.BaseDir != "":
		owned["base_dir"] = live.BaseDir
		fallthrough
	default:
		owned["info_log_path"], owned["debug_log_path"] = "", ""
	}
	return owned
}

// queried are the settings that doveconf is asked for by name, because its dump leaves
// defaults out.
func (c Candidate) queried() []string {
	return slices.Concat(dovecot.PortSettings(), limitNames(c.limited()), []string{
		"base_dir", "state_dir", "instance_name", "log_path", "info_log_path", "debug_log_path", "shutdown_clients", "listen", "protocols",
		"first_valid_uid", "last_valid_uid", "first_valid_gid", "last_valid_gid",
	})
}

// limited are the services whose limits are queried.
func (c Candidate) limited() (names []string) {
	if !c.Settings.HasOperatorConfig() {
		for _, service := range c.Sizes.Services {
			names = append(names, service.Name)
		}
		return names
	}
	for _, p := range config.Protocols() {
		names = append(names, p.Services()...)
	}
	return append(names, "auth", "anvil", "stats", "config", "imap-hibernate")
}

func limitNames(services []string) []string {
	names := []string{"default_client_limit", "default_process_limit", "default_vsz_limit"}
	for _, service := range services {
		names = append(names, dovecot.LimitSettings(service)...)
	}
	return names
}

// blame adds the changed override to an error that names no file.
func (l Live) blame(err error, files config.Files) error {
	if file, ok := l.culprit(files); ok && errors.Is(err, rehearsal.ErrSlow) {
		return fmt.Errorf("%s: %w", file, err)
	}
	return err
}

// attribute adds the changed override to findings without a file, and to those for which
// Dovecot names the main file because the whole is at fault.
func (l Live) attribute(found finding.List, files config.Files, those func(finding.List) finding.List) finding.List {
	file, ok := l.culprit(files)
	if !ok {
		return found
	}
	found = slices.Clone(found)
	for i, f := range found {
		chosen := len(those(finding.List{f})) > 0
		if whole := f.Line == 0 && strings.HasPrefix(f.File, "template "); chosen && (whole || f.File == "") {
			found[i].File = file
		}
	}
	return found
}

// culprit is the only override that differs from the running configuration, which was
// without fault; ok is false if several do.
func (l Live) culprit(files config.Files) (origin string, ok bool) {
	changed := 0
	sums := digests(files)
	for _, f := range files {
		if f.Override && l.Overrides[f.Name] != sums[f.Name] {
			origin, changed = f.Origin, changed+1
		}
	}
	return origin, changed == 1
}
