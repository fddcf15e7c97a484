package status

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pidgeon/userdb"
)

func TestAllDatabasesDown(t *testing.T) {
	up, down := userdb.Database{Name: "ldap"}, userdb.Database{Name: "sql", Down: "away"}
	for _, tt := range []struct {
		name string
		d    Document
		want bool
	}{
		{"none", Document{}, false},
		{"one of two", Document{Databases: []userdb.Database{up, down}}, false},
		{"all", Document{Databases: []userdb.Database{down}}, true},
		{"all but USERS", Document{Databases: []userdb.Database{down}, OwnUsers: true}, false},
	} {
		if err := tt.d.AllDatabasesDown(); (err != nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A URL that never answers leaves time to ask Dovecot for the users of the others.
func TestHangingIntrospection(t *testing.T) {
	dir := t.TempDir()
	hangs, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	auth, err := net.Listen("unix", filepath.Join(dir, "auth-userdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	go func() {
		conn, err := auth.Accept()
		if err == nil {
			_, _ = conn.Write([]byte("NOTFOUND\t1\n"))
		}
	}()
	url := "http://" + hangs.Addr().String()
	if err := os.WriteFile(filepath.Join(dir, "url"), []byte(url), 0o600); err != nil {
		t.Fatal(err)
	}
	silent := userdb.Database{Name: "oauth2", Servers: []string{url}, Introspection: &userdb.Introspection{URLFile: filepath.Join(dir, "url"), Mode: "post"}}
	d := Document{Generation: "gen-000001", Lookups: auth.Addr().String(), Databases: []userdb.Database{silent, {Name: "sql"}}}
	d = d.ProbeDatabases(context.Background())
	if oauth2, sql := d.Databases[0].Down, d.Databases[1].Down; !strings.Contains(oauth2, "timeout") || sql != "" {
		t.Errorf("oauth2: %q, sql: %q", oauth2, sql)
	}

	// They are asked side by side.
	d.Databases = []userdb.Database{silent, silent}
	d.Databases[0].Name = "ldap"
	began := time.Now()
	for _, database := range d.ProbeDatabases(context.Background()).Databases {
		if !strings.Contains(database.Down, "timeout") {
			t.Errorf("%q", database.Down)
		}
	}
	if took := time.Since(began); took >= databasePatience {
		t.Error(took)
	}
}
