package userdb

import (
	"context"
	"net"
	"os"
	"reflect"
	"syscall"
	"testing"
	"time"

	"pidgeon/settings"
)

// What is told of them holds no password.
func TestDatabases(t *testing.T) {
	s := settings.Settings{
		Auth:                    settings.Databases{"users", "ldap", "sql", "oauth2"},
		OAuth2IntrospectionMode: "post", CAPath: "/ca.crt",
		LDAPURI: "ldap://a ldaps://b:1636", OAuth2IntrospectionURL: "https://mail:hush@sso.example.com/introspect?key=hush",
	}
	want := []Database{
		{Name: "ldap", Servers: []string{"ldap://a", "ldaps://b:1636"}},
		{Name: "sql"},
		{Name: "oauth2", Servers: []string{"https://sso.example.com"}, Introspection: &Introspection{"/run/pidgeon/current/oauth2.secret", "post", "/ca.crt"}},
	}
	if got := Databases(s, "/run/pidgeon/current"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// silent is the address of a server at which no more connections arrive.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) })
	}
	for err == nil { // until its queue is full
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond); err == nil {
			t.Cleanup(func() { conn.Close() })
		}
	}
	if !os.IsTimeout(err) {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// A server that does not answer takes no time from the next.
func TestReachable(t *testing.T) {
	there, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	away := "ldap://" + silent(t)
	d := Database{Name: "ldap", Servers: []string{away, "ldap://" + there.Addr().String()}}
	if err := d.Probe(context.Background()); err != nil {
		t.Error(err)
	}
	d.Servers = []string{away, away}
	if err := d.Probe(context.Background()); err == nil {
		t.Error("nobody is missed")
	}
}
