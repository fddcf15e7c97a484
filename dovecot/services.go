package dovecot

import (
	"context"
	"maps"
	"slices"
	"strings"

	"pidgeon/finding"
)

// idle finds sections for services that Dovecot does not have: it takes note of
// them, and never starts anything.
func (d *Dovecot) idle(ctx context.Context, statements []statement) finding.List {
	var found finding.List
	for _, s := range statements {
		if !s.text.Mine || s.kind != opening || s.key != "service" {
			continue
		}
		services := d.services(ctx)
		if _, ok := lastOf(statements, s.path()+"/executable"); ok || len(services) == 0 || services[s.value] {
			continue
		}
		hint := "give it an executable, or remove the section"
		if near := nearest(s.value, slices.Sorted(maps.Keys(services))); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		found = append(found, s.remark(finding.OtherMeaning, "Dovecot "+d.Dialect+" has no service "+s.value+", and does nothing with this section", hint))
	}
	return found
}

// services are those that Dovecot comes with.
func (d *Dovecot) services(ctx context.Context) map[string]bool {
	defaults, err := d.defaults(ctx)
	if err != nil {
		return nil
	}
	all := map[string]bool{}
	for path := range defaults {
		if parts := strings.Split(path, "/"); len(parts) > 2 && parts[0] == "service" {
			all[parts[1]] = true
		}
	}
	return all
}
