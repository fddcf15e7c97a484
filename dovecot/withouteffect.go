package dovecot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pidgeon/finding"
)

// withoutEffect finds lines of overrides that change nothing, and says why.
func (d *Dovecot) withoutEffect(ctx context.Context, statements []statement) finding.List {
	var found finding.List
	for i, s := range statements {
		if !s.text.Mine || !s.sets() || s.cumulative() {
			continue
		}
		if later, ok := overwriting(statements[i+1:], s); ok {
			found = append(found, s.remark(finding.Overwritten,
				s.key+" is overwritten by "+later.place(), "remove one of the two lines"))
			continue
		}
		if same := d.already(ctx, statements[:i], s); same != "" {
			found = append(found, s.remark(finding.SameValue,
				fmt.Sprintf("%s has this value already: %s", s.key, same), "the line can go"))
		}
	}
	return found
}

func (s statement) remark(code finding.Code, problem, hint string) finding.Finding {
	f := s.fault(code, problem, hint).Finding
	f.Warning = true
	return f
}

// place is where a statement stands, for the operator.
func (s statement) place() string { return fmt.Sprintf("%s:%d", s.text.Origin, s.last) }

// cumulative tells whether sections around a statement do not merge, or are read
// once for each connection, so that a later one says nothing about it.
func (s statement) cumulative() bool {
	return slices.ContainsFunc(s.scope, func(section string) bool {
		return strings.Contains(section, " #") || strings.HasPrefix(section, "local") || strings.HasPrefix(section, "remote")
	})
}

// overwriting finds the statement that sets the same again, unless it is built
// upon the former.
func overwriting(later []statement, s statement) (statement, bool) {
	for _, l := range later {
		switch {
		case strings.Contains(l.raw, "$"+s.key) || strings.Contains(l.raw, "$SET:"+s.key):
			return statement{}, false
		case l.sets() && l.path() == s.path():
			last, _ := lastOf(later, s.path())
			return last, true
		}
	}
	return statement{}, false
}

// already tells where the value that a statement sets was set before.
func (d *Dovecot) already(ctx context.Context, earlier []statement, s statement) string {
	if strings.Contains(s.raw, "$") {
		return ""
	}
	if before, ok := lastOf(earlier, s.path()); ok {
		if before.kind == s.kind && before.value == s.value && (before.text.Mine || !sized[s.key]) {
			return before.place()
		}
		return ""
	}
	if len(s.scope) > 0 && !strings.HasPrefix(s.scope[0], "service ") {
		return "" // a filter: what holds there is the global value
	}
	defaults, err := d.defaults(ctx)
	if err != nil || slices.Contains(changing, s.path()) {
		return ""
	}
	if value, ok := defaults[s.path()]; ok && s.kind == assignment && unquoted(value) == s.value {
		return "it is Dovecot's default"
	}
	return ""
}

// sized are settings that templates write after a look at what overrides set:
// that both are the same then does not mean that the override may go.
var sized = map[string]bool{"process_limit": true, "client_limit": true, "service_count": true, "restart_request_count": true, "vsz_limit": true, "process_min_avail": true}

// changing are settings whose default depends on dovecot_config_version: what
// doveconf lists is that of the newest (2.4.1).
var changing = []string{
	"mail_cache_fields", "service/lmtp/restart_request_count", "lmtp_user_concurrency_limit",
	"service/auth/unix_listener/auth-userdb/group",
}
