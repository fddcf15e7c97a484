package render_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"pidgeon/config"
	"pidgeon/settings"
)

// everythingOn is the environment in which one variable at a time is changed.
var everythingOn = []string{
	"PROTOCOLS=imap,pop3,lmtp,sieve,submission", "RELAY_HOST=postfix", "MAIL_HOSTNAME=mail.example.com", "USERS=alice:secret",
	"TLS_CERT_PATH=/certs/other.crt", "RUN_DIR=/run/other", "QUOTA=1G", "PROXY_PROTOCOL=yes", "TRUSTED_NETWORKS=10.0.0.0/8",
	"AUTH=users,ldap,sql,oauth2", "MASTER_USERS=root:secret", "OAUTH2_INTROSPECTION_URL=http://sso/",
	"LDAP_URI=ldap://ldap", "LDAP_BASE=dc=example", "LDAP_BIND_DN=cn=reader", "LDAP_BIND_PASSWORD=secret",
	"SQL_DRIVER=pgsql", "SQL_DATABASE=mail", "SQL_USER=mail", "SQL_PASSWORD=secret", "SQL_PORT=5432",
	"SQL_PASSWORD_QUERY=SELECT password", "SQL_USER_QUERY=SELECT home", "SQL_ITERATE_QUERY=SELECT user",
	"RELAY_TLS=tls", "RELAY_USER=dovecot", "RELAY_PASSWORD=secret",
	"AUTH_PORT=1244", "AUTH_SOCKET=/sockets/1", "LMTP_SOCKET=/sockets/2",
}

// cryptKey is for MAIL_CRYPT_KEY, and nothing else.
const cryptKey = `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIE92h8EtM7n8hUc4g2b1d3reMlmv/Ziizn0vc/olDgbqoAoGCCqGSM49
AwEHoUQDQgAEKNSmit1fqC3t8TdJT654DXJkjE4VTrdYMflDa1tyDPFvUA+lyKYX
+qgnEzUuC5zmZJdIsnVOy31y/o2b9ijj1Q==
-----END EC PRIVATE KEY-----`

// effects are the settings of Dovecot that a variable may change; one that is not
// named changes none.
var effects = map[string]string{
	"PROTOCOLS":                   `protocols(/.*)?|service .*|imap_hibernate_timeout|protocol (imap|lmtp)/.*|plugin/sieve|sieve_script.*|submission_relay_.*`,
	"IMAP_CONCURRENCY":            sized + hibernating,
	"IMAP_MODE":                   sized + hibernating,
	"POP3_CONCURRENCY":            sized,
	"POP3_MODE":                   sized,
	"SUBMISSION_CONCURRENCY":      sized,
	"SUBMISSION_MODE":             sized,
	"SIEVE_CONCURRENCY":           sized,
	"SIEVE_MODE":                  sized,
	"MAX_CONNECTIONS_PER_USER_IP": `mail_max_userip_connections`,
	"AUTH":                        `auth_mechanisms(/.*)?|(pass|user)db.*|(ldap|sql|sqlite|pgsql|mysql|import_environment|oauth2)([_ /].*)?|sql_driver|service auth-worker/user|(ldap|sql|oauth2).conf.ext/.*`,
	"PASSWORD_SCHEME":             `(passdb (ldap|sql)|(ldap|sql).conf.ext)/default_pass(word)?_scheme`,
	"LDAP_URI":                    `ldap_uris|ldap.conf.ext/uris`,
	"LDAP_BASE":                   `ldap_base|ldap.conf.ext/base`,
	"LDAP_FILTER":                 `(pass|user)db ldap/(filter|iterate_filter|iterate_fields/user)|ldap.conf.ext/(pass_filter|user_filter|iterate_filter|iterate_attrs)`,
	"LDAP_BIND_DN":                `ldap_auth_dn|ldap.conf.ext/dn`,
	"LDAP_BIND_PASSWORD":          `ldap.conf.ext/dnpass`,
	"LDAP_LOGIN":                  `passdb ldap/(bind|fields/password)|ldap.conf.ext/(auth_bind|pass_attrs)`,
	"LDAP_STARTTLS":               `ldap_starttls|ldap.conf.ext/tls`,
	"SQL_DRIVER":                  `sql_driver|(sqlite|pgsql|mysql)[_ ].*|sql.conf.ext/(driver|connect)`,
	"SQL_HOST":                    `pgsql db/host|sql.conf.ext/connect`,
	"SQL_PORT":                    `pgsql db/parameters/port|sql.conf.ext/connect`,
	"SQL_DATABASE":                `pgsql db/parameters/dbname|sql.conf.ext/connect`,
	"SQL_USER":                    `pgsql db/parameters/user|sql.conf.ext/connect`,
	"SQL_PASSWORD":                `pgsql db/parameters/password|sql.conf.ext/connect`,
	"SQL_PASSWORD_QUERY":          `passdb sql/query|sql.conf.ext/password_query`,
	"SQL_USER_QUERY":              `userdb sql/query|sql.conf.ext/user_query`,
	"SQL_ITERATE_QUERY":           `userdb sql/iterate_query|sql.conf.ext/iterate_query`,
	"OAUTH2_INTROSPECTION_URL":    `oauth2.conf.ext/introspection_url`,
	"OAUTH2_INTROSPECTION_MODE":   `(oauth2|oauth2.conf.ext)/introspection_mode`,
	"OAUTH2_USER_ATTRIBUTE":       `(oauth2|oauth2.conf.ext)/username_attribute`,
	"TLS_CA_PATH":                 `ssl_client(_|/)ca_file|import_environment/LDAPTLS_CACERT|(ldap|oauth2).conf.ext/tls_ca_cert_file`,
	"RELAY_TLS":                   `submission_relay_ssl`,
	"RELAY_USER":                  `submission_relay_user`,
	"MASTER_USERS":                `auth_master_user_separator|passdb masters/.*`,
	"LMTP_SOCKET":                 `service lmtp/unix_listener "?/.*`,
	"AUTH_SOCKET":                 `service auth/unix_listener "?/.*`,
	"AUTH_PORT":                   `service auth/inet_listener auth/port`,
	"TLS":                         `ssl|ssl_cert|ssl_key|ssl_server[/_](cert|key)_file|ssl_min_protocol|ssl_prefer_server_ciphers|disable_plaintext_auth|auth_allow_cleartext|service .*/inet_listener .*s/port`,
	"TLS_MIN_PROTOCOL":            `ssl_min_protocol`,
	"MAIL_HOSTNAME":               `hostname`,
	"MAIL_DIR":                    `mail_home`,
	"MAIL_HOME":                   `mail_home`,
	"MAIL_PATH":                   `mail_location|mail_path`,
	"MAIL_FORMAT":                 `mail_location|mail_driver`,
	"MAIL_UID":                    `mail_uid|first_valid_uid`,
	"MAIL_GID":                    `mail_gid`,
	"RECIPIENT_DELIMITER":         `recipient_delimiter`,
	"RELAY_HOST":                  `submission_relay_host`,
	"RELAY_PORT":                  `submission_relay_port`,
	"QUOTA":                       `plugin/quota_rule|quota_storage_size`,
	"LISTEN":                      `listen`,
	"IMAP_PORT":                   `service imap-login/inet_listener imap/port`,
	"IMAPS_PORT":                  `service imap-login/inet_listener imaps/port`,
	"POP3_PORT":                   `service pop3-login/inet_listener pop3/port`,
	"POP3S_PORT":                  `service pop3-login/inet_listener pop3s/port`,
	"LMTP_PORT":                   `service lmtp/inet_listener lmtp/port`,
	"QUOTA_STATUS_PORT":           `service quota-status/.*`,
	"SIEVE_PORT":                  `service managesieve-login/inet_listener sieve/port`,
	"SUBMISSION_PORT":             `service submission-login/inet_listener submission/port`,
	"SUBMISSIONS_PORT":            `service submission-login/inet_listener submissions/port`,
	"DOVECOT_CONF":                `.*`, // it takes the place of all
	"COMPRESSION":                 `mail_plugins(/mail_compress)?|protocol (imap|lmtp)/mail_plugins|plugin/zlib_save|mail_compress_write_method`,
	"FTS":                         `mail_plugins(/fts.*)?|protocol (imap|lmtp)/mail_plugins|plugin/fts.*|fts_.*|fts|fts flatcurve.*|language.*|service indexer-worker/vsz_limit`,
	"MAIL_CRYPT_KEY":              `mail_plugins(/mail_crypt)?|protocol (imap|lmtp)/mail_plugins|plugin/mail_crypt.*|crypt_.*`,
	"SPAM_LEARN_DIR":              `protocol imap/mail_plugins(/imap_sieve)?|plugin/(sieve_.*|imapsieve_.*)|sieve_.*|mailbox( Junk/.*)?|imapsieve_from.*|managesieve_sieve_capability`,
	"SHARED_FOLDERS":              `mail_plugins(/acl)?|protocol (imap|lmtp)/mail_plugins(/imap_acl)?|plugin/acl(_shared_dict|_user)?|acl_.*|namespace( (shared|inbox)/.*)?|userdb.*/(default_fields|fields/[ug]id:default)`,
	"SPAM_TO_JUNK":                `plugin/sieve_after|sieve_script( spam/.*)?`,
	"SIEVE_BEFORE":                `plugin/sieve_before|sieve_script( before/.*)?`,
	"SIEVE_AFTER":                 `plugin/sieve_after2|sieve_script( after/.*)?`,
	"TRUSTED_NETWORKS":            `haproxy_trusted_networks`,
	"RUN_DIR":                     `base_dir|protocol lmtp/auth_socket_path`,
	"STATE_DIR":                   `state_dir`,
	"LOG_LEVEL":                   `mail_debug|auth_debug|log_debug`,
}

const (
	sized       = `service [a-z0-9-]+/(process_limit|client_limit|service_count|restart_request_count|process_min_avail|vsz_limit)`
	hibernating = `|imap_hibernate_timeout|service imap/(extra_groups|unix_listener imap-master/user)`
)

// effective is what a dialect makes of settings, by name.
func effective(t testing.TB, dialect string, s settings.Settings) map[string]string {
	t.Helper()
	files := renderAll(t, input(t, dialect, s))
	found := settingsOf(accepted(t, dialect, files, "-a"))
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".ext") {
			maps.Copy(found, extSettings(t, f))
		}
	}
	return found
}

// extLine is a setting as auth of 2.3.19 reads it from a file of its own
// (settings_read_i), in the words that templates use: bare, or in double quotes that
// nothing in the value ends.
var extLine = regexp.MustCompile(`^([a-z_]+) = ?([^"'#\\{}]*|"(?:[^"\\]|\\.)*")$`)

func extSettings(t testing.TB, f config.File) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(f.Data), "\n"), "\n") {
		m := extLine.FindStringSubmatch(line)
		if m == nil || found[f.Name+"/"+m[1]] != "" {
			t.Errorf("%s: %q is not one setting", f.Name, line)
			continue
		}
		found[f.Name+"/"+m[1]] = m[2]
	}
	return found
}

var unchanged sync.Map // what effective gives for everythingOn, by dialect

func baseline(t testing.TB, dialect string) map[string]string {
	t.Helper()
	if known, ok := unchanged.Load(dialect); ok {
		return known.(map[string]string)
	}
	found := effective(t, dialect, load(t, everythingOn...))
	if len(found) < 400 {
		t.Fatalf("doveconf of %s printed %d settings only", dialect, len(found))
	}
	unchanged.Store(dialect, found)
	return found
}

// checkEffect gives a variable a value: either a fault says what is wrong with
// it, or Dovecot accepts the outcome and no other setting is touched.
func checkEffect(t testing.TB, name, value string) {
	t.Helper()
	environ := slices.DeleteFunc(slices.Clone(everythingOn), func(e string) bool { return strings.HasPrefix(e, name+"=") })
	s, err := settings.Load(append(environ, name+"="+value))
	if err != nil {
		return
	}
	t.Logf("%s=%q", name, value)
	allowed := regexp.MustCompile(`^(` + effects[name] + `)$`)
	for _, dialect := range dialects {
		was, is := baseline(t, dialect), effective(t, dialect, s)
		for _, setting := range names(was, is) {
			before, had := was[setting]
			after, has := is[setting]
			if (before != after || had != has) && !allowed.MatchString(setting) {
				t.Errorf("%s=%q changes %s of Dovecot %s from %q to %q", name, value, setting, dialect, before, after)
			}
		}
	}
}

func names(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// FuzzEffect: no value of any variable adds or changes a setting that it is not
// meant for.
func FuzzEffect(f *testing.F) {
	for _, dialect := range dialects {
		needDoveconf(f, dialect)
	}
	variables := settings.Variables()
	for i, v := range variables {
		for _, value := range seeds(v) {
			f.Add(i, value)
		}
	}
	f.Fuzz(func(t *testing.T, which int, value string) {
		t.Parallel()
		checkEffect(t, variables[uint(which)%uint(len(variables))].Name, value)
	})
}

// seeds are values at the edge of what the variable takes, and some beyond.
func seeds(v settings.Variable) []string {
	switch v.Name {
	case "PROTOCOLS":
		return []string{"imap", "sieve"}
	case "IMAP_CONCURRENCY":
		return []string{"1", "1000000"}
	case "IMAP_MODE", "POP3_MODE":
		return []string{"secure", "performance"}
	case "USERS", "MASTER_USERS":
		return []string{"", "a:\"\\#{}$%\xff\nb:{SHA256}x", "@:x", "-:{X}y\n\n#"}
	case "TLS":
		return []string{"no", "yes"}
	case "RECIPIENT_DELIMITER":
		return []string{"#", "'#'", "{", "}", "$", "%%", "$mail", "%{", "%{}", "{$}#%=/?|", "!", "''"}
	case "MAIL_HOSTNAME", "RELAY_HOST":
		return []string{"::1", "fe80::1%a{b}\"#", "fe80::1%\"", "fe80::1%a\nb = c", "fe80::1%{", "no", "0", "_"}
	case "MAIL_DIR":
		return []string{"/", "/a=b,c~d@e:f", "/srv/mail/../x uid=0", "/~"}
	case "LISTEN":
		return []string{"127.0.0.1 ::1,*", "2001:db8::1", "fe80::1%eth0", "fe80::1%a b", "fe80::1%#", "::ffff:1.2.3.4", "[*]"}
	case "RUN_DIR", "STATE_DIR":
		return []string{"/", "/a~b=c,d"}
	case "QUOTA":
		return []string{"1k", "999999T", " 5GB\n", "1G\nbase_dir = /", "1G:x", "0G", "1.5G", "1G%{user}"}
	case "MAIL_HOME", "MAIL_PATH":
		return []string{"/srv/mail/%{domain}/%{username}", "~", "~/a/../b", "/srv/mail/%{user} uid=0", "/srv/mail/%{user}:INDEX=/x", "/srv/mail/%{user", "/srv/mail/%{user}%u", "~/%{username}}"}
	case "MAIL_CRYPT_KEY":
		return []string{cryptKey, cryptKey + "\n}" + cryptKey, "-----BEGIN PRIVATE KEY-----\n}\n-----END PRIVATE KEY-----"}
	case "SHARED_FOLDERS", "FTS":
		return []string{"yes", "yes }"}
	case "COMPRESSION":
		return []string{"zstd", "read", "zstd\n"}
	case "SPAM_TO_JUNK":
		return []string{"yes", "yes\n"}
	case "TRUSTED_NETWORKS":
		return []string{"10.1.2.3/8 ::1,127.0.0.1", "fe80::1%eth0/64", "::/0", "10.0.0.0/8\nbase_dir = /", "10.0.0.0/33", "!10.0.0.1"}
	case "LOG_LEVEL":
		return []string{"debug"}
	case "LDAP_BASE", "LDAP_BIND_DN", "LDAP_BIND_PASSWORD", "SQL_DATABASE", "SQL_USER", "SQL_PASSWORD", "OAUTH2_USER_ATTRIBUTE", "RELAY_USER", "RELAY_PASSWORD":
		return []string{`a "quoted\" # 100 % {x} $y ' \' host=elsewhere %u`, "</etc/passwd", "a\nb = c", "%{user}"}
	case "LDAP_FILTER", "SQL_PASSWORD_QUERY", "SQL_USER_QUERY", "SQL_ITERATE_QUERY":
		return []string{"%u %n %d %% %%%u %{user | domain} %%{ '%%u'", "a \"b\" # {c} $d \\\nb = c\r\n}", "%{password}", "%"}
	case "LDAP_URI":
		return []string{"ldapi://%2frun%2fldapi", "ldap://a ldaps://b:1", "ldap://a\nb = c", "ldap://a/}"}
	case "OAUTH2_INTROSPECTION_URL":
		return []string{"http://a:%7b%22@b/?c={}#\"", "http://a/\nb", "file:/a"}
	case "SQL_HOST":
		return []string{"/run/db", "::1", "a' b='c", "no"}
	case "SQL_DRIVER":
		return []string{"mysql", "sqlite"}
	case "AUTH":
		return []string{"users", "ldap", "sql", "oauth2", "oauth2,users"}
	case "AUTH_SOCKET", "LMTP_SOCKET":
		return []string{"/a=b,c~d@e:f", "/a-master", "/a {"}
	case "RELAY_TLS":
		return []string{"no", "starttls"}
	case "MAIL_UID", "MAIL_GID":
		return []string{"1", "2147483647"}
	}
	if strings.HasSuffix(v.Name, "_PORT") {
		return []string{"65535"}
	}
	return []string{v.Example}
}
