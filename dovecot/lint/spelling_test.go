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
	for _, row := range TableRows("settings") {
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
	"crypt_global_private_key": true, "crypt_user_key_encryption_key": true, "sieve_editheader_header": true, "push_notification": true, "quota_over_status": true, "quota_warning": true,
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
	return !slices.Contains(TableList("unlisted/passdb"), leaf)
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
	for _, c := range []struct{ setting, value, want string }{
		{"mail_path", "/srv/%u", "%{user}"},
		{"mail_path", "/srv/%d/%n", "%{user | domain}"},
		{"mail_path", "/srv/%n_%d", "%{user | username}"},
		{"mail_path", "/srv/%Lu", "%{user | lower}"},
		{"mail_path", "/srv/%2.256Nu", "%{user | md5 | substr(0, 8) % 256 | hex(2)}"},
		{"mail_path", "/srv/%1n", "%{user | username | substr(0, 1)}"},
		{"mail_path", "%%h/Maildir", "%{owner_home}"},
		{"mail_path", "/srv/%Hu", "2.4 has nothing for the modifier H"},
		{"auth_x", "%{rip}", "%{remote_ip}"},
		{"auth_x", "%s", "%{protocol}"},
		{"mail_path", "%s", "%{service}"},
		{"login_log_format_elements", "user=<%u> mpid=%e", "%{user}"},
		{"login_log_format_elements", "mpid=%e", "%{mail_pid}"},
		{"pop3_uidl_format", "%08Xu%08Xv", "%{uid | hex(8)}"},
		{"pop3_uidl_format", "%m", "%{md5}"},
		{"pop3_logout_format", "%p", "%{top_bytes}"},
		{"imap_logout_format", "in=%i out=%o", "%{input}"},
		{"deliver_log_format", "msgid=%m", "%{msgid}"},
		{"log_timestamp", "%m", ""},
		{"mail_path", "/srv/%{user}", ""},
		{"x", "100%", ""},
		{"x", "100% up", ""},
		{"x", "%%u", ""},
		{"x", "%{user|domain}", ""},
		{"x", "%undefined", ""},
	} {
		if _, got := (ValuePlace{Key: c.setting}).oldVariable(c.value); strings.TrimPrefix(got, "in Dovecot 2.4 it is ") != c.want {
			t.Errorf("%s = %s: got %q, want %q", c.setting, c.value, got, c.want)
		}
	}
}

// What stood in plugin { } is told under its name in 2.4, or that it has the same one.
func TestPluginSettings(t *testing.T) {
	for key, want := range map[string]string{
		"quota_status_success":      "in Dovecot 2.4 it stands outside of plugin { }",
		"mail_log_events":           "in Dovecot 2.4 it stands outside of plugin { }",
		"quota":                     "in Dovecot 2.4 it stands outside of plugin { }: write quota NAME { driver = count }",
		"quota_max_mail_size":       "in Dovecot 2.4 it is quota_mail_size",
		"quota_rule3":               "in Dovecot 2.4 it is quota_storage_size, quota_message_count: *:storage=1G becomes quota_storage_size = 1G",
		"imapsieve_mailbox12_name":  "in Dovecot 2.4 it is sieve_script: write sieve_script NAME { … } in mailbox NAME { … }, and in imapsieve_from NAME { … }",
		"antispam_backend":          "in Dovecot 2.4 there is no plugin antispam: use imap_sieve, with a sieve_script for what is moved into and out of the folder",
		"quota_vsizes":              "in Dovecot 2.4 it is gone: it is always so with the count driver",
		"setting_of_another_plugin": "",
	} {
		if got := otherDialect("plugin", key, "2.4"); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}
