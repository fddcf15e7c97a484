package dovecot

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/finding"
)

// absent finds what overrides name and what is not installed: plugins,
// executables, users and groups. Dovecot notices when it needs them, which is at
// a login or never.
func (d *Dovecot) absent(ctx context.Context, statements []statement) finding.List {
	var found finding.List
	protocols := switchedOn(statements)
	for _, s := range statements {
		if !s.text.Mine || !s.sets() || s.off(protocols) || strings.ContainsAny(s.value, "$%") && s.key != "mail_plugins" {
			continue
		}
		code, problem, hint := d.missing(ctx, s, statements)
		if problem != "" {
			found = append(found, s.fault(code, problem, hint).Finding)
		}
	}
	return found
}

func (d *Dovecot) missing(ctx context.Context, s statement, statements []statement) (finding.Code, string, string) {
	switch {
	case s.key == "mail_plugins" || s.within("mail_plugins") && s.value == "yes":
		return d.missingPlugin(s, statements)
	case s.key == "executable" && s.within("service"):
		return d.missingExecutable(s, statements)
	case s.key == "user" && s.ownsSomething() || s.key == "default_internal_user" || s.key == "default_login_user":
		return d.missingAccount(ctx, s, "passwd", finding.MissingUser, "user")
	case s.key == "group" && s.ownsSomething() || s.key == "default_internal_group":
		return d.missingAccount(ctx, s, "group", finding.MissingGroup, "group")
	}
	return "", "", ""
}

// ownsSomething tells whether user and group in a section are the system's.
func (s statement) ownsSomething() bool {
	return s.within("service") || s.within("unix_listener") || s.within("fifo_listener")
}

func (d *Dovecot) missingExecutable(s statement, statements []statement) (finding.Code, string, string) {
	path, _, _ := strings.Cut(s.value, " ")
	if path == "" {
		return "", "", ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(lastValue(statements, "libexec_dir", "/usr/lib/dovecot"), path)
	}
	info, err := os.Stat(filepath.Join(d.root, path))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return finding.MissingExecutable, path + " does not exist", "correct the path, or install it"
	case err == nil && (info.IsDir() || info.Mode()&0o111 == 0):
		return finding.MissingExecutable, path + " cannot be executed", "make it executable: chmod +x"
	}
	return "", "", ""
}

// missingAccount asks getent, which looks wherever Dovecot would. Its exit code 2
// is "not found"; whatever else it may be, nothing can be said.
func (d *Dovecot) missingAccount(ctx context.Context, s statement, database string, code finding.Code, what string) (finding.Code, string, string) {
	if s.value == "" {
		return "", "", ""
	}
	err := d.run(ctx, exec.Command("/usr/bin/getent", database, s.value))
	var exit interface{ ExitCode() int }
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		return "", "", ""
	}
	return code, "the " + what + " " + s.value + " does not exist", "name one that /etc/" + database + " in the image has"
}

// lastValue is what a global setting is set to, or its default.
func lastValue(statements []statement, name, fallback string) string {
	if s, ok := lastOf(statements, name); ok && s.sets() {
		return s.value
	}
	return fallback
}

// switchedOn are the protocols that are on.
func switchedOn(statements []statement) map[string]bool {
	on := map[string]bool{}
	for _, s := range statements {
		switch {
		case s.sets() && s.path() == "protocols":
			clear(on)
			for _, name := range strings.Fields(s.value) {
				on[name] = true
			}
		case s.sets() && s.within("protocols"):
			on[s.key] = s.value == "yes"
		}
	}
	return on
}

// off tells whether a statement is about a service of a protocol that is off:
// Dovecot does not look at it.
func (s statement) off(on map[string]bool) bool {
	for _, section := range s.scope {
		kind, name, _ := strings.Cut(section, " ")
		protocol := strings.Replace(strings.TrimSuffix(name, "-login"), "managesieve", "sieve", 1)
		if (kind == "service" || kind == "protocol") && slices.Contains([]string{"imap", "pop3", "lmtp", "sieve", "submission"}, protocol) && !on[protocol] {
			return true
		}
	}
	return false
}
