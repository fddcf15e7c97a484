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

func (d *Dovecot) missingPlugin(s statement, statements []statement) (finding.Code, string, string) {
	names := []string{s.key}
	if s.key == "mail_plugins" {
		names = strings.Fields(s.value)
	}
	dir := filepath.Join(d.root, lastValue(statements, "mail_plugin_dir", "/usr/lib/dovecot/modules"))
	installed := pluginsIn(dir)
	for _, name := range names {
		if installed == nil || strings.Contains(name, "$") || slices.Contains(installed, name) {
			continue
		}
		hint := "leave it out, or install it"
		if near := nearest(name, installed); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		} else if now, ok := pluginsNow[name]; ok && d.Dialect == "2.4" {
			hint = "in Dovecot 2.4 " + now
		}
		return finding.MissingPlugin, "the plugin " + name + " is not installed", hint
	}
	return "", "", ""
}

// pluginsNow are plugins of 2.3 that 2.4 does not have.
var pluginsNow = map[string]string{
	"zlib": "it is mail_compress", "imap_zlib": "COMPRESS is always there: leave it out",
	"listescape": "set mailbox_list_storage_escape_char", "mailbox_alias": "it is gone: use mailbox_special_use",
	"old_stats": "it is gone", "imap_old_stats": "it is gone", "replication": "there is no replication any more",
	"fts_lucene": "use fts_flatcurve or fts_solr", "fts_squat": "use fts_flatcurve or fts_solr",
}

// pluginsIn are the plugins of a directory, lib10_quota_plugin.so; nil where it
// cannot be read.
func pluginsIn(dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "lib*_plugin.so"))
	if err != nil {
		return nil
	}
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "lib"), "_plugin.so")
		names = append(names, strings.TrimLeft(name, "0123456789_"))
	}
	return names
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
		name, ok := strings.CutPrefix(section, "service ")
		protocol := strings.Replace(strings.TrimSuffix(name, "-login"), "managesieve", "sieve", 1)
		if ok && slices.Contains([]string{"imap", "pop3", "lmtp", "sieve", "submission"}, protocol) && !on[protocol] {
			return true
		}
	}
	return false
}
