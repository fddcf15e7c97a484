package lint

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"pidgeon/dovecot"
	"pidgeon/finding"
)

// withoutEffect finds lines of overrides that change nothing, and says why.
func (c *Config) withoutEffect(ctx context.Context, d *dovecot.Dovecot) finding.List {
	builtUpon := c.builtUpon()
	return c.each(func(s *statement) (f finding.Finding) {
		if !s.sets() || s.in.cumulative() {
			return f
		}
		before, after := c.others(s)
		same := ""
		switch i := slices.IndexFunc(after, (*statement).sets); {
		case i >= 0 && !builtUpon.between(s, after[i]):
			return s.warning(finding.Overwritten, s.key+" is overwritten by "+after[len(after)-1].place(), "remove one of the two lines")
		case len(before) > 0:
			same = s.repeats(before[len(before)-1])
		case s.isDefault(ctx, d):
			same = "it is Dovecot's default"
		}
		if same != "" {
			f = s.warning(finding.SameValue, fmt.Sprintf("%s has this value already: %s", s.key, same), "the line can go")
		}
		return f
	})
}

// cumulative tells whether sections do not merge, or are read once for each
// connection, so that a later one says nothing about what stands in them.
func (in *section) cumulative() bool {
	for ; in != nil; in = in.around {
		if in.number > 0 || strings.HasPrefix(in.kind, "local") || strings.HasPrefix(in.kind, "remote") {
			return true
		}
	}
	return false
}

// mentions are the places of statements whose value names a setting, by that name:
// $mail_plugins in 2.3, $SET:mail_plugins in 2.4.
type mentions map[string][]int

var mentioned = regexp.MustCompile(`\$(?:SET:)?(\w+)`)

func (c *Config) builtUpon() mentions {
	all := mentions{}
	for _, s := range c.statements {
		if !strings.Contains(s.raw, "$") {
			continue
		}
		for _, m := range mentioned.FindAllStringSubmatch(s.raw, -1) {
			all[m[1]] = append(all[m[1]], s.at)
		}
	}
	return all
}

// between tells whether a value is built upon before, or by, another statement.
func (m mentions) between(s, later *statement) bool {
	i, _ := slices.BinarySearch(m[s.key], s.at+1)
	return i < len(m[s.key]) && m[s.key][i] <= later.at
}

// repeats is where a statement's value was set before, empty if it is another value.
func (s *statement) repeats(before *statement) string {
	if strings.Contains(s.raw, "$") || before.kind != s.kind || before.value != s.value || !before.file.Override && sized[s.key] {
		return ""
	}
	return before.place()
}

// sized are settings that templates write after a look at what overrides set:
// that both are the same then does not mean that the override may go.
var sized = map[string]bool{"process_limit": true, "client_limit": true, "service_count": true, "restart_request_count": true, "vsz_limit": true, "process_min_avail": true}

// isDefault tells whether a statement sets what holds where nothing is set. In a
// filter that is the global value.
func (s *statement) isDefault(ctx context.Context, d *dovecot.Dovecot) bool {
	if strings.Contains(s.raw, "$") || s.kind != assignment || s.in != nil && s.in.outermost().kind != "service" {
		return false
	}
	defaults, err := d.Defaults(ctx)
	value, ok := defaults[s.fullName()]
	return err == nil && ok && unquoted(value) == s.value && !slices.Contains(changing, s.fullName())
}

func (in *section) outermost() *section {
	for in.around != nil {
		in = in.around
	}
	return in
}

// changing are settings whose default depends on dovecot_config_version: what
// doveconf lists is that of the newest (2.4.1).
var changing = []string{
	"mail_cache_fields", "service/lmtp/restart_request_count", "lmtp_user_concurrency_limit",
	"service/auth/unix_listener/auth-userdb/group",
}

// idle finds sections for services that Dovecot does not have: it takes note of
// them, and never starts anything.
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

// unconfined are services that do not call restrict_access_by_env (2.3.19, 2.4.1:
// imap/main.c); mail storage changes root per user.
var unconfined = []string{"imap", "pop3", "submission", "managesieve"}

// chrooted finds services that a chroot takes what they need away from, or that
// take no notice of it.
func chrooted(s *statement) (f finding.Finding) {
	if !s.sets() || s.key != "chroot" || !s.within("service") || s.value == "" || s.value == "/" {
		return f
	}
	switch service := s.in.name; {
	case service == "auth" || service == "auth-worker": // the rehearsal does not see it: its user is in no file
		return s.fault(finding.UnreadableFile, fmt.Sprintf("%s sees nothing outside of %s, and so no file with users", service, s.value), "leave the chroot of this service out")
	case slices.Contains(unconfined, service):
		return s.warning(finding.NoEffect, "Dovecot does not look at the chroot of the service "+service, "set mail_chroot for all users, or chroot in the user database")
	}
	return f
}
