package dovecot_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pidgeon/dovecot"
)

func TestSockets(t *testing.T) {
	for setting, want := range map[string][]dovecot.Socket{
		"service/auth/unix_listener//tmp/x/mode":            {{Service: "auth", Kind: "unix_listener", Name: "/tmp/x"}},
		"service/log/fifo_listener//tmp/a/b/user":           {{Service: "log", Kind: "fifo_listener", Name: "/tmp/a/b"}},
		"service/auth/unix_listener/auth-userdb/mode":       {{Service: "auth", Kind: "unix_listener", Name: "auth-userdb"}},
		"service/auth/unix_listener//tmp/x/":                {{Service: "auth", Kind: "unix_listener", Name: "/tmp/x"}},
		"service/imap-login/inet_listener/my imap/port":     {{Service: "imap-login", Kind: dovecot.InetListener, Name: "my imap"}},
		"service/imap-login/process_limit":                  nil,
		"service/lmtp/inet_listener/a/inet_listener/b/port": nil,
		"passdb/driver": nil,
	} {
		if got := (dovecot.Settings{setting: "1"}).Sockets(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", setting, got, want)
		}
		for _, s := range want {
			if name := s.Setting("port"); s.Kind == dovecot.InetListener && name != setting {
				t.Errorf("%s: called %s", setting, name)
			}
		}
	}
}

// Two sockets in one place are one too many, unless one of them is not made.
func TestSocketsInOnePlace(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "run"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s := dovecot.Settings{
		"base_dir": filepath.Join(dir, "run"),
		"service/auth/unix_listener/auth-master/mode":                  "0600",
		"service/auth/unix_listener/" + dir + "/run/auth-userdb/mode":  "0600",
		"service/dict/unix_listener/" + dir + "/link/auth-master/mode": "0660",
	}
	if found := s.SocketFaults("/run/pidgeon"); len(found) != 2 { // auth-userdb is there by default
		t.Errorf("got %v, want two faults", found)
	}
	s["base_dir"] = filepath.Join(dir, "run/not/yet")
	s["service/dict/unix_listener/"+dir+"/link/not/yet/auth-client/mode"] = "0600"
	if found := s.SocketFaults("/run/pidgeon"); len(found) != 1 {
		t.Errorf("got %v, want one fault in a directory that is not there yet", found)
	}
	delete(s, "service/dict/unix_listener/"+dir+"/link/not/yet/auth-client/mode")
	s["base_dir"] = filepath.Join(dir, "run")
	s["service/auth/unix_listener/auth-master/mode"], s["service/auth/unix_listener/auth-userdb/mode"] = "0", "0"
	if found := s.SocketFaults("/run/pidgeon"); len(found) != 0 {
		t.Errorf("got %v of one that is not made", found)
	}
}
