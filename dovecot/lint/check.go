package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"pidgeon/dovecot"
	"pidgeon/finding"
)

// TooMuch is the finding that more is included than belongs to a configuration: doveconf
// would read all of it.
func (c *Config) TooMuch() finding.List { return c.included.overflow }

// Check has doveconf read the configuration main, whose text is c, and returns all findings.
// An error means that the check could not be made.
func Check(ctx context.Context, d *dovecot.Dovecot, main string, c *Config) (finding.List, error) {
	if tooMuch := c.TooMuch(); len(tooMuch) > 0 {
		return tooMuch, nil
	}
	said, err := d.Complaints(ctx, main)
	if err != nil {
		return nil, err
	}
	var found finding.List
	for _, complaint := range said {
		found = append(found, c.placed(ctx, d, complaint))
	}
	if faults := found.Faults(); len(faults) > 0 {
		found = append(c.everything(ctx, d, main, faults), found.Warnings()...)
	}
	found = slices.Concat(found, c.encoding(), c.otherWords(d.Dialect, false), c.each(chrooted), c.absent(ctx, d))
	if d.Dialect == "2.3" {
		found = append(found, c.each(otherMeaning)...)
	}
	if len(found.Faults()) == 0 {
		found = slices.Concat(found, c.withoutEffect(ctx, d), c.idle(ctx, d))
	}
	return c.ordered(unique(found)), nil
}

// each applies a rule to the statements of overrides.
func (c *Config) each(rule func(*statement) finding.Finding) finding.List {
	var found finding.List
	for s := range c.overrides {
		if f := rule(s); f.Problem != "" {
			found = append(found, f)
		}
	}
	return found
}

func (c *Config) overrides(yield func(*statement) bool) {
	for _, s := range c.statements {
		if s.file.Override && !yield(s) {
			return
		}
	}
}

// unique drops repetitions, because doveconf 2.3 repeats a complaint for each plugin, and a
// rule may have found the same line.
func unique(found finding.List) finding.List {
	seen := map[finding.Finding]bool{}
	return slices.DeleteFunc(found, func(f finding.Finding) bool {
		same := finding.Finding{File: f.File, Line: f.Line, Code: f.Code}
		if f.Line == 0 || f.Warning {
			same.Problem = f.Problem
		}
		again := seen[same]
		seen[same] = true
		return again
	})
}

// ordered puts findings in the order in which Dovecot reads their files, those
// without a file last.
func (c *Config) ordered(found finding.List) finding.List {
	place := func(f finding.Finding) int {
		if f.File == "" {
			return len(c.order) + 2
		}
		return cmp.Or(c.order[f.File], len(c.order)+1)
	}
	slices.SortStableFunc(found, func(a, b finding.Finding) int {
		return cmp.Or(place(a)-place(b), strings.Compare(a.File, b.File), a.Line-b.Line)
	})
	return found
}

// packages is where distributions have files to include, such as protocols.d, which an operator
// does not edit.
const packages = "/usr/share/"

// withoutEffect finds lines of overrides without effect, with one warning for all limits that
// are set twice.
func (c *Config) withoutEffect(ctx context.Context, d *dovecot.Dovecot) finding.List {
	var anew []string
	var first *statement
	hint := sync.OnceValue(func() string {
		if c.whole() {
			return "the line can stay; DOVECOT_CONF=FILE has a whole configuration take the place of the templates"
		}
		return "the line can stay"
	})
	found := c.each(func(s *statement) (f finding.Finding) {
		if !s.sets() || s.in.cumulative() || strings.HasPrefix(s.file.Origin, packages) {
			return f
		}
		all := c.setters[s.target()]
		place, _ := slices.BinarySearchFunc(all, s.at, func(other *statement, at int) int { return other.at - at })
		before, after := all[:place], all[place+1:]
		same := ""
		switch i := slices.IndexFunc(after, (*statement).sets); {
		case c.ours(s) != nil:
			ours := c.ours(s)
			switch {
			case ours.value == s.value && c.files[0].Override: // who runs it without pidgeon needs the line
				return f
			case ours.value == s.value:
				same = ours.place()
			case listed(s.key, "sized"):
				first, anew = cmp.Or(first, s), append(anew, fmt.Sprintf("%s %s → %s (%s)", s.fullName(), s.value, ours.value, s.place()))
				return f
			default:
				return s.warning(finding.Overwritten, fmt.Sprintf("%s is %s, whatever stands here: pidgeon needs it", s.key, cmp.Or(ours.value, "empty")), hint())
			}
		case i >= 0 && !c.builtUpon(s, after[i]):
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
	if first != nil {
		found = append(found, first.warning(finding.Overwritten, "the sessions asked for need other limits: "+strings.Join(anew, ", "), "the lines can stay"))
	}
	return found
}

// ours is the line of pidgeon's that overrides a statement of the operator's, nil if there is
// none.
func (c *Config) ours(s *statement) *statement {
	if last := c.last(s.in, s.key); last != nil && last.sets() && last.at > s.at && !last.file.Override && s.file.Override {
		return last
	}
	return nil
}

// cumulative reports whether sections do not merge, or are read once for each
// connection, so that a later one says nothing about what stands in them.
func (in *section) cumulative() bool {
	for ; in != nil; in = in.around {
		if in.number > 0 || strings.HasPrefix(in.kind, "local") || strings.HasPrefix(in.kind, "remote") {
			return true
		}
	}
	return false
}

// builtUpon reports whether a value between two statements, or the later one's, names the
// setting: $mail_plugins in 2.3, $SET:mail_plugins in 2.4.
func (c *Config) builtUpon(s, later *statement) bool {
	places := c.mentions[s.key]
	i, _ := slices.BinarySearch(places, s.at+1)
	return i < len(places) && places[i] <= later.at
}

// repeats is the earlier place that sets the same value, empty if there is none.
func (s *statement) repeats(before *statement) string {
	if strings.Contains(s.raw, "$") || before.kind != s.kind || before.value != s.value || !before.file.Override && listed(s.key, "sized") {
		return ""
	}
	return before.place()
}

// isDefault reports whether a statement sets a setting to its default, which in a filter is
// the global value.
func (s *statement) isDefault(ctx context.Context, d *dovecot.Dovecot) bool {
	name := s.fullName()
	if strings.Contains(s.raw, "$") || s.kind != assignment || s.in != nil && !strings.HasPrefix(name, "service/") || listed(name, "changing") {
		return false
	}
	defaults, err := d.Defaults(ctx)
	value, ok := defaults[name]
	return err == nil && ok && unquoted(value) == s.value
}
