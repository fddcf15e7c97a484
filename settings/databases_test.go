package settings_test

import (
	"slices"
	"strings"
	"testing"

	"pidgeon/settings"
)

func TestDatabases(t *testing.T) {
	if got := load(t, "AUTH=LDAP users, ldap", "LDAP_URI=ldap://a", "LDAP_BASE=dc=a").Auth; !slices.Equal(got, settings.Databases{"ldap", "users"}) {
		t.Errorf("got %q", got)
	}
}

// TestDatabaseFaults: everything that a database lacks is told at once, and no fault
// holds a secret.
func TestDatabaseFaults(t *testing.T) {
	tests := []struct {
		name    string
		environ []string
		want    []string // how each fault begins
	}{
		{"unknown", []string{"AUTH=users,pam"}, []string{`AUTH is "users,pam", which names "pam"`}},
		{"nothing of LDAP", []string{"AUTH=ldap"}, []string{"LDAP_URI is not set, and AUTH names ldap", "LDAP_BASE is not set"}},
		{"nothing of SQL", []string{"AUTH=sql"}, []string{"SQL_DATABASE is not set", "SQL_PASSWORD_QUERY is not set"}},
		{"nothing of two", []string{"AUTH=ldap,oauth2"}, []string{"LDAP_URI is", "LDAP_BASE is", "OAUTH2_INTROSPECTION_URL is"}},
		{"wrong, not missing", []string{"AUTH=ldap", "LDAP_URI=http://a", "LDAP_BASE=dc=a"}, []string{`LDAP_URI is "http://a", which`}},
		{"half a login", []string{"AUTH=ldap", "LDAP_URI=ldap://a", "LDAP_BASE=dc=a", "LDAP_BIND_PASSWORD=hush"}, []string{"LDAP_BIND_DN and LDAP_BIND_PASSWORD go together"}},
		{"half a relay login", []string{"PROTOCOLS=submission", "RELAY_HOST=a", "RELAY_USER=a"}, []string{"RELAY_USER and RELAY_PASSWORD go together"}},
		{"a blank for MariaDB", []string{"AUTH=sql", "SQL_DRIVER=mysql", "SQL_DATABASE=a", "SQL_PASSWORD=hush hush", "SQL_PASSWORD_QUERY=a"}, []string{"SQL_PASSWORD holds a blank"}},
		{"a line end in a password", []string{"SQL_PASSWORD=hush\nhush"}, []string{"SQL_PASSWORD holds a line end"}},
		{"a variable in a password", []string{"LDAP_BIND_PASSWORD=hush%{user}"}, []string{"LDAP_BIND_PASSWORD holds %{, which begins a variable"}},
		{"an unknown variable", []string{"LDAP_FILTER=(uid=%{password})"}, []string{`LDAP_FILTER is "(uid=%{password})", which holds %{password}: there are %{user}, %{username}, %{domain}`}},
		{"a lone percent sign", []string{"SQL_USER_QUERY=LIKE '100%'"}, []string{`SQL_USER_QUERY is "LIKE '100%'", which holds %': there are`}},
		{"a URL", []string{"OAUTH2_INTROSPECTION_URL=ftp://a:hush@b"}, []string{"OAUTH2_INTROSPECTION_URL is not an http:// or https:// URL"}},
		{"a host", []string{"SQL_HOST=a b"}, []string{`SQL_HOST is "a b", which is neither`}},
		{"a socket with rights", []string{"AUTH_SOCKET=/sockets/auth-master"}, []string{`AUTH_SOCKET ends with "-master"`}},
		{"hosts in no database", []string{"ROLE=proxy", "BACKENDS=a", "SQL_BACKEND_QUERY=a", "LDAP_BACKEND_ATTRIBUTE=a"}, []string{"LDAP_URI is not set, and LDAP_BACKEND_ATTRIBUTE is", "LDAP_BASE is", "SQL_DATABASE is not set, and SQL_BACKEND_QUERY is"}},
		{"no attribute", []string{"LDAP_BACKEND_ATTRIBUTE=a)(b"}, []string{`LDAP_BACKEND_ATTRIBUTE is "a)(b", which is not the name of an attribute`}},
		{"two on one port", []string{"AUTH_PORT=993"}, []string{"AUTH_PORT is 993, and so is IMAPS_PORT"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := complaints(t, tt.environ...)
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if strings.Contains(strings.Join(got, "\n"), "hush") {
				t.Errorf("a secret is in %q", got)
			}
		})
	}
}

func TestPattern(t *testing.T) {
	s := load(t, "LDAP_FILTER=(|(mail=%u)\r\n (cn=%n)\t(o=%{user | domain})(note=100 %%%d%%))")
	got := s.LDAPFilter.With("U", "N", "D", "P")
	if want := "(|(mail=U)  (cn=N) (o=D)(note=100 PDP))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.LDAPFilter.Attribute(); got != "mail" {
		t.Errorf("the name is looked for in %s", got)
	}
}

func TestIdleDatabase(t *testing.T) {
	for _, tt := range []struct{ environ, want string }{
		{"LDAP_URI=ldap://a", "LDAP_URI has no effect: AUTH does not name ldap"},
		{"AUTH=sql SQL_DATABASE=a SQL_PASSWORD_QUERY=a SQL_BACKEND_QUERY=a", "SQL_BACKEND_QUERY has no effect: ROLE is server, and BACKEND_NAME is not set"},
		{"BACKENDS=a BACKEND_NAME=a SQL_DATABASE=a SQL_BACKEND_QUERY=a", ""},
		{"ROLE=proxy BACKENDS=a SQL_DATABASE=a SQL_BACKEND_QUERY=a", ""},
		{"ROLE=proxy BACKENDS=a SQL_DATABASE=a", "SQL_DATABASE has no effect: ROLE is proxy, and that is the backends' business"},
	} {
		if notes := strings.Join(load(t, strings.Fields(tt.environ)...).Notes, ", "); notes != tt.want {
			t.Errorf("%s: got %q, want %q", tt.environ, notes, tt.want)
		}
	}
}
