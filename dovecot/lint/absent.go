package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
)

// absence finds out what is installed, once for each name.
type absence struct {
	*Config
	dovecot *dovecot.Dovecot
	plugins []string
	userdb  bool               // overrides have one, which may give each user an owner and a home
	lacks   map[[2]string]bool // by database and name
}

// absent finds plugins, executables, users and groups that overrides name and that are not
// installed, because Dovecot notices that at a login, or never. In pidgeon's templates it
// looks for plugins alone.
func (c *Config) absent(ctx context.Context, d *dovecot.Dovecot) finding.List {
	a := absence{Config: c, dovecot: d, lacks: map[[2]string]bool{}}
	a.plugins = pluginsIn(filepath.Join(d.Root, a.dirWith(ctx, "", "mail_plugin_dir", "/usr/lib/dovecot/modules")))
	a.userdb = slices.ContainsFunc(c.statements, func(s *statement) bool { return s.file.Override && s.kind == opening && s.key == "userdb" })
	off := c.off(ctx, d)
	var found finding.List
	for _, s := range c.statements {
		plugins := s.key == "mail_plugins" || s.within("mail_plugins")
		variable := strings.ContainsAny(s.value, "$%") && s.key != "mail_home" // whose beginning tells enough
		if !s.sets() || off(s.in) || !plugins && (!s.file.Override || variable) {
			continue
		}
		if f := a.missing(ctx, s); f.Problem != "" {
			found = append(found, f)
		}
	}
	return found
}

// dirWith is where Dovecot looks for name: a directory that is set, or Debian's if it has
// that, or the one that is built in, which costs a question.
func (a absence) dirWith(ctx context.Context, name, setting, debian string) string {
	if set := a.last(nil, setting); set != nil && set.sets() && set.value != "" {
		return set.value
	}
	if _, err := os.Stat(filepath.Join(a.dovecot.Root, debian, name)); err == nil {
		return debian
	}
	builtin, _, _ := a.dovecot.Default(ctx, setting)
	return cmp.Or(builtin, debian)
}

func (a absence) missing(ctx context.Context, s *statement) (f finding.Finding) {
	owner := s.within("service") || s.within("unix_listener") || s.within("fifo_listener")
	switch {
	case s.kind == fromFile: // the names stand in the file
	case s.key == "mail_plugins":
		return a.plugin(s, ListItems(s.value)...)
	case s.within("mail_plugins") && s.value == "yes":
		return a.plugin(s, s.key)
	case s.key == "executable" && s.within("service"):
		return a.executable(ctx, s)
	case s.key == "user" && owner || s.key == "default_internal_user" || s.key == "default_login_user":
		return a.account(ctx, s, "passwd", finding.MissingUser, "user")
	case s.key == "group" && owner || s.key == "default_internal_group":
		return a.account(ctx, s, "group", finding.MissingGroup, "group")
	case s.in == nil && !a.files[0].Override && !a.userdb:
		return a.mailOwner(ctx, s)
	}
	return f
}

// mailOwner finds an owner or a place of all mail with which no login gets through. A rehearsal
// does not, because its user has others. A whole configuration may never use them.
func (a absence) mailOwner(ctx context.Context, s *statement) (f finding.Finding) {
	_, notNumber := strconv.Atoi(s.value)
	switch {
	case s.value == "":
	case s.key == "mail_uid" && notNumber != nil:
		return a.account(ctx, s, "passwd", finding.MissingUser, "user")
	case s.key == "mail_gid" && notNumber != nil:
		return a.account(ctx, s, "group", finding.MissingGroup, "group")
	case s.key == "mail_home" && !strings.ContainsAny(s.value[:1], "/%$"):
		return s.fault(finding.InvalidValue, "mail_home is no whole path: no login gets through", "begin it with a /")
	case s.key == "mail_chroot" && filepath.IsAbs(s.value):
		if _, err := os.Stat(filepath.Join(a.dovecot.Root, s.value)); errors.Is(err, os.ErrNotExist) {
			return s.fault(finding.MissingFile, s.value+" does not exist: no login gets through", "correct the path, or make the directory")
		}
	}
	return f
}

func (a absence) plugin(s *statement, names ...string) (f finding.Finding) {
	for _, name := range names {
		if a.plugins == nil || strings.Contains(name, "$") || slices.Contains(a.plugins, name) {
			continue
		}
		hint := "leave it out, or install it"
		if row := TableRow("packages", name); row != nil && !s.file.Override {
			return finding.Finding{
				Code: finding.MissingPlugin, Problem: row[2] + " needs the plugin " + name + ", which is not installed",
				Hint: "install " + row[1] + ", or leave " + row[2] + " out",
			}
		} else if row != nil {
			hint = "leave it out, or install " + row[1]
		} else if near := nearest(name, a.plugins); near != "" {
			hint = near
		} else if row := TableRow("plugins", name); row != nil && a.dovecot.Dialect == "2.4" {
			hint = spelled(row, "2.4").hint()
		}
		if other := s.in.otherProtocol(); other != "" {
			return s.warning(finding.MissingPlugin, "the plugin "+name+" is not installed, and "+other+" needs it", hint)
		}
		return s.fault(finding.MissingPlugin, "the plugin "+name+" is not installed", hint)
	}
	return f
}

// otherProtocol is the protocol of a section that no client speaks, as lda and doveadm; empty
// for others.
func (in *section) otherProtocol() string {
	for ; in != nil && in.kind != "protocol"; in = in.around {
	}
	if in == nil || in.name == "" || in.name[0] == '!' || slices.ContainsFunc(config.Protocols(), func(p config.Protocol) bool { return p.Name == in.name }) {
		return ""
	}
	return in.name
}

// ListItems are the words of a value such as mail_plugins, which Dovecot parts at commas too.
func ListItems(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// pluginsIn are the plugins of a directory, lib10_quota_plugin.so; nil where there are
// none to be seen.
func pluginsIn(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, "lib*_plugin.so"))
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "lib"), "_plugin.so")
		names = append(names, strings.TrimLeft(name, "0123456789_"))
	}
	return names
}

func (a absence) executable(ctx context.Context, s *statement) (f finding.Finding) {
	path, arguments, _ := strings.Cut(s.value, " ")
	if filepath.Base(path) == "script-login" && a.afterLogin(s.in.name) {
		words := strings.Fields(arguments)
		if i := slices.IndexFunc(words, func(word string) bool { return word[0] != '-' }); i >= 0 && filepath.IsAbs(words[i]) {
			path = words[i]
		}
	}
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(a.dirWith(ctx, path, "libexec_dir", "/usr/lib/dovecot"), path)
	}
	info, err := os.Stat(filepath.Join(a.dovecot.Root, path))
	switch {
	case path == "":
	case errors.Is(err, os.ErrNotExist):
		return s.fault(finding.MissingExecutable, path+" does not exist", "correct the path, or install it")
	case err == nil && (info.IsDir() || info.Mode()&0o111 == 0):
		return s.fault(finding.MissingExecutable, path+" cannot be executed", "make it executable: chmod +x")
	}
	return f
}

// afterLogin reports whether sessions go through a service when they begin. The rehearsal's does
// not.
func (a absence) afterLogin(service string) bool {
	return slices.ContainsFunc(config.Protocols(), func(p config.Protocol) bool {
		set := a.last(a.service(p.Session), "executable")
		return set != nil && slices.Contains(strings.Fields(set.value), service)
	})
}

func (a absence) account(ctx context.Context, s *statement, database string, missing finding.Code, what string) (f finding.Finding) {
	asked := [2]string{database, s.value}
	if _, known := a.lacks[asked]; !known {
		a.lacks[asked] = s.value != "" && a.dovecot.LacksEntry(ctx, database, s.value)
	}
	if a.lacks[asked] {
		return s.fault(missing, "the "+what+" "+s.value+" does not exist", "name one that /etc/"+database+" in the image has")
	}
	return f
}

// idle finds sections of services that Dovecot does not have, because Dovecot accepts them
// and starts nothing.
func (c *Config) idle(ctx context.Context, d *dovecot.Dovecot) finding.List {
	services := sync.OnceValue(func() []string { return d.Services(ctx) })
	return c.each(func(s *statement) (f finding.Finding) {
		if s.kind != opening || s.key != "service" || c.last(c.service(s.name), "executable") != nil {
			return f
		}
		if len(services()) == 0 || slices.Contains(services(), s.name) {
			return f
		}
		hint := cmp.Or(nearest(s.name, services()), "give it an executable, or remove the section")
		return s.warning(finding.OtherMeaning, "Dovecot "+d.Dialect+" has no service "+s.name+", and does nothing with this section", hint)
	})
}

// chrooted finds services that cannot work in a chroot, or that ignore it.
func chrooted(s *statement) (f finding.Finding) {
	if !s.sets() || s.key != "chroot" || !s.within("service") || s.value == "" || s.value == "/" {
		return f
	}
	switch service := s.in.name; {
	case service == "auth" || service == "auth-worker": // the rehearsal does not see it: its user is in no file
		return s.fault(finding.UnreadableFile, fmt.Sprintf("%s sees nothing outside of %s, and so no file with users", service, s.value), "leave the chroot of this service out")
	case listed(service, "unconfined"):
		return s.warning(finding.NoEffect, "Dovecot does not look at the chroot of the service "+service, "set mail_chroot for all users, or chroot in the user database")
	}
	return f
}

// off reports whether a section is about a service of a protocol that is off, which Dovecot
// ignores.
func (c *Config) off(ctx context.Context, d *dovecot.Dovecot) func(*section) bool {
	on := map[string]bool{}
	if c.files[0].Override {
		builtin, _, _ := d.Default(ctx, "protocols")
		for name := range strings.FieldsSeq(builtin) {
			on[name] = true
		}
	}
	for _, s := range c.statements {
		switch {
		case s.sets() && s.in == nil && s.key == "protocols":
			if !strings.Contains(s.value, "$protocols") {
				clear(on)
			}
			for name := range strings.FieldsSeq(s.value) {
				on[name] = true
			}
		case s.sets() && s.within("protocols"):
			on[s.key] = s.value == "yes"
		}
	}
	off := map[[2]string]bool{}
	for _, p := range config.Protocols() {
		for _, service := range p.Services() {
			off[[2]string{"service", service}] = !on[p.Name]
		}
		off[[2]string{"protocol", p.Name}] = !on[p.Name]
	}
	return func(in *section) bool {
		for ; in != nil && !off[[2]string{in.kind, in.name}]; in = in.around {
		}
		return in != nil
	}
}
