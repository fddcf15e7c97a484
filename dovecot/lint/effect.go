package lint

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

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
	if strings.Contains(s.raw, "$") || before.kind != s.kind || before.value != s.value || !before.file.Override && listed(s.key, "sized") {
		return ""
	}
	return before.place()
}

// isDefault tells whether a statement sets what holds where nothing is set. In a
// filter that is the global value.
func (s *statement) isDefault(ctx context.Context, d *dovecot.Dovecot) bool {
	if strings.Contains(s.raw, "$") || s.kind != assignment || s.in != nil && s.in.outermost().kind != "service" {
		return false
	}
	defaults, err := d.Defaults(ctx)
	value, ok := defaults[s.fullName()]
	return err == nil && ok && unquoted(value) == s.value && !listed(s.fullName(), "changing")
}

func (in *section) outermost() *section {
	for in.around != nil {
		in = in.around
	}
	return in
}
