package lint

import (
	"slices"
	"strings"
	"testing"

	"pidgeon/dovecot"
	"pidgeon/tests/dovecottest"
)

// Every name in the table is one of the dialect that it is said to be of, and
// those of 2.3 are none of 2.4.
func TestSpellings(t *testing.T) {
	listed := map[string]dovecot.Settings{}
	for _, dialect := range dovecottest.Dialects {
		defaults, err := dovecottest.Installed(t, dialect, t.TempDir()).Defaults(t.Context())
		if err != nil || len(defaults) < 400 {
			t.Fatalf("%s: %d settings, %v", dialect, len(defaults), err)
		}
		listed[dialect] = defaults
	}
	known := map[string]map[string]bool{"2.3": {}, "2.4": {}}
	for _, row := range table()["settings"] {
		for i, dialect := range dovecottest.Dialects {
			for _, name := range names(row[i]) {
				known[dialect][name] = true
			}
		}
	}
	for name := range known["2.3"] {
		section, leaf := split(name)
		if section != "plugin" && leaf != "plugin" && knows(listed["2.4"], section, leaf) {
			t.Errorf("2.4 knows %s", name)
		}
	}
	for name := range known["2.4"] {
		section, leaf := split(name)
		if !knows(listed["2.4"], section, leaf) && !isSection(listed["2.4"], leaf) && section == "" && !notListed[leaf] {
			t.Errorf("2.4 does not know %s", name)
		}
	}
	if count := len(known["2.3"]); count < 120 {
		t.Errorf("%d names of 2.3 are not the whole guide", count)
	}
}

// notListed are sections of 2.4 that doveconf has no instance of by default, and
// settings of plugins that Debian does not build.
var notListed = map[string]bool{
	"mail_ext_attachment": true, "mail_attribute": true, "notify_status": true, "acl_sharing_map": true, "fts_solr_url": true,
	"crypt_global_private_key": true, "push_notification": true, "quota_over_status": true, "quota_warning": true,
	"dict_server": true, "dovecot_config_version": true, "mysql": true, "pgsql": true, "sqlite": true, "language": true, "fts": true, "quota": true, "sieve_script": true,
}

func split(name string) (section, leaf string) {
	section, leaf, ok := strings.Cut(name, "/")
	if !ok {
		return "", name
	}
	return section, leaf
}

func knows(listed dovecot.Settings, section, leaf string) bool {
	return slices.Contains(namesIn(listed, section), leaf) && (section != "passdb" && section != "userdb" || unlistedIn24(leaf))
}

// unlistedIn24 are those of passdb and userdb that both dialects have.
func unlistedIn24(leaf string) bool {
	return !slices.Contains(list("unlisted/passdb"), leaf)
}

func isSection(listed dovecot.Settings, leaf string) bool {
	for name := range listed {
		if strings.HasPrefix(name, leaf+"/") || strings.HasPrefix(name, leaf+"_") {
			return true
		}
	}
	return false
}

func TestVariables(t *testing.T) {
	for value, want := range map[string]string{
		"/srv/%u":        "%{user}",
		"/srv/%d/%n":     "%{user | domain}",
		"/srv/%Lu":       "%{user | lower}",
		"/srv/%2.256Nu":  "a chain of filters such as %{user | md5 | substr(0, 8) % 256 | hex(2)}",
		"%{rip}":         "%{remote_ip}",
		"/srv/%{user}":   "",
		"100%":           "",
		"100% up":        "",
		"%%u":            "",
		"%{user|domain}": "",
		"%undefined":     "",
	} {
		if _, got, _ := oldVariable(value); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}
