package upgrade_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/tests/dovecottest"
)

// meaning is what a setting of 2.3, as doveconf names it, has to be in 2.4: settings with
// their values, as far as it can be said without the converter that is under test. Names
// have _ for each /, as 2.4 takes them both ways.
func meaning(name, value string) map[string]string {
	parts := strings.Split(strings.TrimPrefix(name, "plugin/"), "/")
	leaf := parts[len(parts)-1]
	at := func(leaf string) string { return strings.Join(append(parts[:len(parts)-1:len(parts)-1], leaf), "_") }
	no := map[string]string{"yes": "no", "no": "yes"}
	if path, file := strings.CutPrefix(value, "<"); file {
		now, ok := map[string]string{
			"ssl_cert": "ssl_server_cert_file", "ssl_key": "ssl_server_key_file", "ssl_dh": "ssl_server_dh_file", "ssl_ca": "ssl_client_ca_file",
			"ssl_alt_cert": "ssl_server_alt_cert_file", "ssl_alt_key": "ssl_server_alt_key_file",
			"ssl_client_cert": "ssl_client_cert_file", "ssl_client_key": "ssl_client_key_file",
		}[leaf]
		if !ok {
			return nil
		}
		return map[string]string{at(now): path}
	}
	switch leaf {
	case "protocols", "mail_plugins":
		want := map[string]string{}
		for word := range strings.FieldsSeq(value) {
			for _, row := range lint.TableRows("plugins") {
				if leaf == "mail_plugins" && row[0] == word {
					word = strings.Trim(row[1], "-")
				}
			}
			for _, row := range lint.TableRows("values") {
				if row[0] == leaf && row[1] == word {
					word = ""
				}
			}
			if word != "" {
				want[at(leaf+"_"+word)] = "yes"
			}
		}
		return want
	case "imap_capability":
		want := map[string]string{}
		for word := range strings.FieldsSeq(value) {
			if added, ok := strings.CutPrefix(word, "+"); ok {
				want[at(leaf+"_"+added)] = "yes"
			}
		}
		return want
	case "managesieve_sieve_capability", "managesieve_notify_capability": // what doveconf fills in
		return nil
	case "disable_plaintext_auth":
		return map[string]string{at("auth_allow_cleartext"): no[value]}
	case "sieve_vacation_dont_check_recipient":
		return map[string]string{at("sieve_vacation_check_recipient"): no[value]}
	case "ssl_prefer_server_ciphers":
		return map[string]string{at("ssl_server_prefer_ciphers"): map[string]string{"yes": "server", "no": "client"}[value]}
	case "service_count", "vsz_limit", "sieve_quota_max_scripts", "sieve_quota_max_storage":
		if value == "0" {
			value = "unlimited"
		}
	}
	for _, row := range slices.Concat(lint.TableRows("settings"), lint.TableRows("structures")) {
		if row[0] != leaf && !strings.HasSuffix(row[0], "/"+leaf) {
			continue
		}
		converted := len(row) > 3 && (row[2] != "" || strings.Contains(row[1], ",")) || len(row) < 3 || row[3] != ""
		if converted && leaf != "service_count" && leaf != "vsz_limit" {
			return nil
		}
		if len(row) > 3 {
			leaf = row[1][strings.LastIndex(row[1], "/")+1:]
		}
		break
	}
	for _, row := range lint.TableRows("values") {
		if row[0] == leaf {
			return nil
		}
	}
	place := lint.ValuePlace{Key: leaf, Sections: parts[:len(parts)-1]}
	unknown := false
	value = place.ConvertVariables(value, func(_, _ string, err error) { unknown = unknown || err != nil })
	if unknown {
		return nil
	}
	return map[string]string{at(leaf): value}
}

// same fails where a setting that both dialects have came to mean something else. What
// stands in sections that got a name, and what has no meaning above, the golden files show.
func same(t *testing.T, before, now dovecot.Settings) (compared int) {
	t.Helper()
	flat := flattened(now)
	defaults := sync.OnceValue(func() map[string]string {
		all, err := dovecottest.Installed(t, "2.4", t.TempDir()).Defaults(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return flattened(all)
	})
	for name, value := range before {
		for want, what := range meaning(name, plain(value)) {
			got, ok := flat[want]
			if !ok {
				got, ok = defaults()[want]
			}
			if !ok {
				continue // in a section that is not there, or of a plugin
			}
			if compared++; got != what {
				t.Errorf("%s was %s and %s is %s, not %s", name, value, want, got, what)
			}
		}
	}
	return compared
}

func flattened(settings dovecot.Settings) map[string]string {
	flat := map[string]string{}
	for name, value := range settings {
		flat[strings.ReplaceAll(name, "/", "_")] = plain(value)
	}
	return flat
}

// plain is a value without quotes, the blank before a unit, and the word before a name.
func plain(value string) string {
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(value[1 : len(value)-1])
	}
	return strings.NewReplacer(" k", "k", " M", "M", "$SET:", "$").Replace(value)
}
