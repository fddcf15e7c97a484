package lint

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"pidgeon/dovecot"
)

// Suggest says what a setting that nothing sets and that has no default was
// probably meant to be.
func Suggest(ctx context.Context, d *dovecot.Dovecot, setting string) string {
	defaults, err := d.Defaults(ctx)
	if err != nil {
		return ""
	}
	parts := strings.Split(setting, "/")
	section, name := "", parts[len(parts)-1]
	if len(parts) > 1 {
		section = parts[max(0, len(parts)-3)]
	}
	return cmp.Or(otherDialect(section, name, d.Dialect), suggestion(defaults, section, name))
}

// unlisted are settings of sections that have no instance by default, so that
// 2.3 does not list them.
var unlisted = map[string]string{
	"":        "local local_name namespace passdb plugin protocol remote service userdb",
	"passdb":  "args auth_verbose default_fields deny driver master mechanisms name override_fields pass result_failure result_internalfail result_success skip username_filter",
	"userdb":  "args auth_verbose default_fields driver name override_fields result_failure result_internalfail result_success skip",
	"mailbox": "auto autoexpunge autoexpunge_max_mails comment driver special_use",
}

// namesIn are the names that may stand in a section of a kind, "" for outside of
// all.
func namesIn(defaults dovecot.Settings, section string) []string {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(unlisted[section]) {
		all[name] = true
	}
	for path := range defaults {
		parts := strings.Split(path, "/")
		around, leaf := parts[:len(parts)-1], parts[len(parts)-1]
		if section == "" {
			all[parts[0]] = true
			continue
		}
		if slices.Contains(around, section) {
			all[leaf] = true
		}
		if name, ok := strings.CutPrefix(leaf, section+"_"); ok { // as 2.4 calls it outside of the section
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// nearest asks whether up to three known names were meant by a name; it is empty if
// none is near.
func nearest(name string, names []string) string {
	allowed := min(3, max(1, len(name)/4))
	var near [4][]string
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(name, candidate); d <= allowed {
			near[d] = append(near[d], candidate)
		}
	}
	for _, best := range near {
		if len(best) > 0 {
			return "did you mean " + strings.Join(best[:min(3, len(best))], " or ") + "?"
		}
	}
	return ""
}

// sectionsOf are kinds of sections that a misplaced setting may belong to.
var sectionsOf = []string{"service", "inet_listener", "unix_listener", "passdb", "userdb", "namespace", "mailbox"}

// suggestion says what an unknown name was probably meant to be.
func suggestion(defaults dovecot.Settings, section, name string) string {
	if near := nearest(name, namesIn(defaults, section)); near != "" {
		return near
	}
	for _, kind := range sectionsOf {
		if kind != section && slices.Contains(namesIn(defaults, kind), name) {
			return "it belongs into a section " + kind + " NAME { … }"
		}
	}
	global := namesIn(defaults, "")
	if section != "" && slices.Contains(global, name) {
		return "it is a global setting: write it outside of " + section + " { }"
	}
	return nearest(name, global)
}
