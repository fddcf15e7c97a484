package dovecot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"
)

// known are all settings of the installed Dovecot with its defaults, by their
// sections: service/process_limit. Asked once, when there is something unknown.
type known struct {
	asking   sync.Mutex
	settings Settings
}

// defaults asks doveconf for every setting it knows.
func (d *Dovecot) defaults(ctx context.Context) (Settings, error) {
	d.known.asking.Lock()
	defer d.known.asking.Unlock()
	if d.known.settings != nil {
		return d.known.settings, nil
	}
	out, err := d.printed(ctx, "-d", "-s")
	if err == nil && out == "" {
		err = errors.New("doveconf prints nothing")
	}
	if err != nil {
		return nil, fmt.Errorf("asking for all settings: %w", err)
	}
	d.known.settings = parseSettings(out)
	return d.known.settings, nil
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
func namesIn(defaults Settings, section string) []string {
	all := map[string]bool{}
	for _, name := range strings.Fields(unlisted[section]) {
		all[name] = true
	}
	for path := range defaults {
		parts := strings.Split(path, "/")
		if section == "" {
			all[parts[0]] = true
		}
		leaf := parts[len(parts)-1]
		if name, ok := strings.CutPrefix(leaf, section+"_"); ok && section != "" {
			all[name] = true
		}
		if len(parts) == 1 && section == "" || slices.Contains(parts[:len(parts)-1], section) {
			all[leaf] = true
		}
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// nearest are up to three known names that a name was probably meant to be.
func nearest(name string, names []string) []string {
	allowed := min(3, max(1, len(name)/4))
	var near [4][]string
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(name, candidate); d <= allowed {
			near[d] = append(near[d], candidate)
		}
	}
	for _, best := range near {
		if len(best) > 0 {
			return best[:min(3, len(best))]
		}
	}
	return nil
}

// sectionsOf are kinds of sections that a misplaced setting may belong to.
var sectionsOf = []string{"service", "inet_listener", "unix_listener", "passdb", "userdb", "namespace", "mailbox"}

// suggestion says what an unknown name was probably meant to be.
func suggestion(defaults Settings, section, name string) string {
	if near := nearest(name, namesIn(defaults, section)); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	for _, kind := range sectionsOf {
		if kind != section && slices.Contains(namesIn(defaults, kind), name) {
			return "it belongs into a section " + kind + " NAME { … }"
		}
	}
	if section != "" && slices.Contains(namesIn(defaults, ""), name) {
		return "it is a global setting: write it outside of " + section + " { }"
	}
	if near := nearest(name, namesIn(defaults, "")); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}
