package lint

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"pidgeon/dovecot"
	"pidgeon/finding"
)

// SuggestSetting suggests settings for an unknown name.
func SuggestSetting(ctx context.Context, d *dovecot.Dovecot, setting string) string {
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

// spellings are looked up by the dialect to translate to, and by a name of the other
// one: alone, in its section, or in any (/name) but plugin, as the names of plugins had a
// section of their own in 2.3, and have none in 2.4. Of several rows the first counts.
var spellings = sync.OnceValue(func() map[[2]string]spelling {
	all := map[[2]string]spelling{}
	for _, row := range slices.Backward(TableRows("settings")) {
		for _, s := range []spelling{spelled(row, "2.3"), spelled(row, "2.4")} {
			for _, name := range s.from {
				all[[2]string{s.dialect, name}] = s
				if kind, leaf, inSection := strings.Cut(name, "/"); inSection && kind != "plugin" {
					all[[2]string{s.dialect, "/" + leaf}] = s
				}
			}
		}
	}
	return all
})

// otherDialect says how this dialect spells a name of the other one; it is empty
// where the name is not known to be one. Without a section any is looked into.
func otherDialect(section, name, dialect string) string {
	if section == "plugin" && dialect == "2.4" {
		plugin, _, _ := strings.Cut(name, "_")
		switch instead := Replacement("plugin", plugin); {
		case instead != "":
			return "in Dovecot 2.4 there is no plugin " + plugin + ": " + instead
		case listed(name, "same in plugin"):
			return "in Dovecot 2.4 it stands outside of plugin { }"
		}
		name = PluginSettingFamily(name)
	}
	s, ok := spellings()[[2]string{dialect, name}]
	if !ok || section == "plugin" {
		s, ok = spellings()[[2]string{dialect, section + "/" + name}]
	}
	if !ok {
		return ""
	}
	return s.hint()
}

func suggestion(defaults dovecot.Settings, section, name string) string {
	if near := nearest(name, namesIn(defaults, section)); near != "" {
		return near
	}
	for _, kind := range TableList("sections") {
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

// namesIn are the names of settings in sections of a kind; "" is outside of all.
func namesIn(defaults dovecot.Settings, section string) []string {
	all := map[string]bool{}
	for _, name := range TableList("unlisted/" + section) {
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

// nearest asks "did you mean" with up to three known names; it is empty if none is similar.
func nearest(name string, names []string) string {
	near := finding.Nearest(name, names, min(3, max(1, len(name)/4)))
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(near[:min(3, len(near))], " or ") + "?"
}
