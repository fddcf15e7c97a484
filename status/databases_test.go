package status

import (
	"reflect"
	"testing"

	"pidgeon/settings"
)

// What is told of them holds no password.
func TestDatabases(t *testing.T) {
	s := settings.Settings{
		Auth:   settings.Databases{"users", "ldap", "sql", "oauth2"},
		RunDir: "/run/pidgeon", OAuth2IntrospectionMode: "post", CAPath: "/ca.crt",
		LDAPURI: "ldap://a ldaps://b:1636", OAuth2IntrospectionURL: "https://mail:hush@sso.example.com/introspect?key=hush",
	}
	want := []Database{
		{Name: "ldap", Servers: []string{"ldap://a", "ldaps://b:1636"}},
		{Name: "sql"},
		{Name: "oauth2", Servers: []string{"https://sso.example.com"}, Introspection: &Introspection{"/run/pidgeon/current/oauth2.secret", "post", "/ca.crt"}},
	}
	if got := Databases(s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAllDatabasesDown(t *testing.T) {
	up, down := Database{Name: "ldap"}, Database{Name: "sql", Down: "away"}
	for _, tt := range []struct {
		name string
		d    Document
		want bool
	}{
		{"none", Document{}, false},
		{"one of two", Document{Databases: []Database{up, down}}, false},
		{"all", Document{Databases: []Database{down}}, true},
		{"all but USERS", Document{Databases: []Database{down}, OwnUsers: true}, false},
	} {
		if err := tt.d.AllDatabasesDown(); (err != nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
