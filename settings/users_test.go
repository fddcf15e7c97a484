package settings_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pidgeon/settings"
)

// plain is how a password that is no hash reaches Dovecot.
func plain(password string) string {
	return "{PLAIN.b64}" + base64.StdEncoding.EncodeToString([]byte(password))
}

func TestLoadUsers(t *testing.T) {
	const hash = "{SHA512-CRYPT}$6$rounds=5000$abc.def$x/y."
	tests := []struct {
		name, users string
		want        settings.Users
	}{
		{"one", "alice:secret", settings.Users{{Name: "alice", Password: plain("secret")}}},
		{"commas", "alice:a,bob:b,", settings.Users{{Name: "alice", Password: plain("a")}, {Name: "bob", Password: plain("b")}}},
		{"blank after a comma", "alice:a, bob:b", settings.Users{{Name: "alice", Password: plain("a")}, {Name: "bob", Password: plain("b")}}},
		{"lines", "alice:a\nbob:b\n", settings.Users{{Name: "alice", Password: plain("a")}, {Name: "bob", Password: plain("b")}}},
		{"lines keep commas", "alice:a,b\nbob:b", settings.Users{{Name: "alice", Password: plain("a,b")}, {Name: "bob", Password: plain("b")}}},
		{"CRLF", "alice:a\r\nbob:b\r\n", settings.Users{{Name: "alice", Password: plain("a")}, {Name: "bob", Password: plain("b")}}},
		{"comments and empty lines", "# people\n\nalice:a\n \n#bob:b\n", settings.Users{{Name: "alice", Password: plain("a")}}},
		{"colon in a password", "alice:a:b:", settings.Users{{Name: "alice", Password: plain("a:b:")}}},
		{"odd bytes in a password", "alice: \"\\$%{}#\xff\v ", settings.Users{{Name: "alice", Password: plain(" \"\\$%{}#\xff\v ")}}},
		{"hash", "alice:" + hash, settings.Users{{Name: "alice", Password: hash}}},
		{"hash with an encoding", "alice:{SHA256.hex}00ff", settings.Users{{Name: "alice", Password: "{SHA256.hex}00ff"}}},
		{"braces that are no scheme", "alice:{not a scheme}x,bob:{}y", settings.Users{{Name: "alice", Password: plain("{not a scheme}x")}, {Name: "bob", Password: plain("{}y")}}},
		{"upper case", "Alice@Example.COM:a", settings.Users{{Name: "alice@example.com", Password: plain("a")}}},
		{"domain", "a.b_c-1@example.com:a", settings.Users{{Name: "a.b_c-1@example.com", Password: plain("a")}}},
		{"passwd line", "alice:" + hash + ":1000:1001:Alice:/home/alice:/bin/sh:quota=1G", settings.Users{{Name: "alice", Password: hash, UID: 1000, GID: 1001, Home: "/home/alice", Quota: "1G"}}},
		{"passwd line of 2.3", "alice:" + hash + "::::::userdb_quota_rule=*:storage=5gb", settings.Users{{Name: "alice", Password: hash, Quota: "5G"}}},
		{"passwd line of 2.4", "alice:" + hash + ":::::/bin/sh:userdb_quota_storage_size=5G", settings.Users{{Name: "alice", Password: hash, Quota: "5G"}}},
		{"nobody", "\n\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := load(t, "USERS="+tt.users).Users; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The last line end of a list says nothing: YAML's "|" and an editor add one.
func TestLoadUsersOnOneLine(t *testing.T) {
	want := settings.Users{{Name: "alice", Password: plain("a")}, {Name: "bob", Password: plain("b")}}
	if got := load(t, "USERS=alice:a,bob:b\n").Users; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte("alice:a,bob:b\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, "USERS_FILE="+file).Users; !reflect.DeepEqual(got, want) {
		t.Errorf("from a file: got %v, want %v", got, want)
	}
}

func TestLoadUsersFaults(t *testing.T) {
	const hint = ": write for example USERS=alice:secret,bob:{SHA512-CRYPT}$6$salt$hash"
	tests := []struct{ name, users, want string }{
		{"no colon", "alice", "USERS entry 1 has no colon between name and password (a password with a comma needs one user per line)"},
		{"comma in a password", "alice:a,b", "USERS entry 2 has no colon between name and password (a password with a comma needs one user per line)"},
		{"no name", ":a", `USERS entry 1 has the name "": letters, digits and ._@- are allowed`},
		{"leading dot", ".a:b", `USERS entry 1 has the name ".a": letters, digits and ._@- are allowed`},
		{"slash", "a/../b:c", `USERS entry 1 has the name "a/../b": letters, digits and ._@- are allowed`},
		{"umlaut", "jürgen:c", `USERS entry 1 has the name "jürgen": letters, digits and ._@- are allowed`},
		{"no password", "alice:", `USERS entry 1 gives "alice" no password`},
		{"twice", "alice:a,Alice:b", `USERS entry 2 names "alice" twice`},
		{"NUL", "alice:a\x00b", `USERS entry 1 gives "alice" a password with a TAB, a line end or another control byte that no login gets through`},
		{"TAB", "alice:a\tb", `USERS entry 1 gives "alice" a password with a TAB, a line end or another control byte that no login gets through`},
		{"blank in a hash", "alice:{SHA256}a b", `USERS entry 1 gives "alice" a hash with a character that no hash has`},
		{"UID", "alice:{SHA256}a:b", `USERS entry 1 gives "alice" a UID that is none`},
		{"root", "alice:{SHA256}a:0", `USERS entry 1 gives "alice" a UID that is none`},
		{"home", "alice:{SHA256}a::::srv", `USERS entry 1 gives "alice" a home that is none`},
		{"quota", "alice:{SHA256}a::::::quota=much", `USERS entry 1 gives "alice" a quota that is none`},
		{"field", "alice:{SHA256}a::::::nologin=y", `USERS entry 1 gives "alice" a field other than quota=SIZE`},
		{"field as a shell", "alice:{SHA256}a:::::quota=5M", `USERS entry 1 gives "alice" its quota too early: put it behind six colons after the hash`},
		{"field as a comment", "alice:{SHA256}a:::quota=5M", `USERS entry 1 gives "alice" its quota too early: put it behind six colons after the hash`},
		{"empty hash", "alice:{SHA256}", `USERS entry 1 gives "alice" a hash with a character that no hash has`},
		{"several", "alice\nbob:b\ncarol:", "USERS entry 1 has no colon between name and password (a password with a comma needs one user per line); entry 3 gives \"carol\" no password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(complaints(t, "USERS="+tt.users), "\n"); got != tt.want+hint {
				t.Errorf("got  %s\nwant %s", got, tt.want+hint)
			}
		})
	}
}
