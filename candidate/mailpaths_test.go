package candidate

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/tests/pidgeontest"
)

// Of a userdb that an override brings, the owner is known only if all its users have one.
func TestMailOwner(t *testing.T) {
	root := Host{Facts: container.Facts{Identity: container.Identity{}}}
	brought := Candidate{OverrideDefinitions: config.OverrideDefinitions{Userdb: true}}
	uid, _ := root.Facts.Identity.MailOwner(brought.Settings)
	same := strconv.Itoa(uid)
	for _, tt := range []struct {
		name      string
		effective dovecot.Settings
		known     bool
	}{
		{"one of 2.3 that is static", dovecot.Settings{"userdb/#1/driver": "static", "userdb/#1/args": "uid=" + same + " home=/x/%u"}, true},
		{"one of 2.4 that is static", dovecot.Settings{"userdb/mine/driver": "static", "userdb/mine/fields/uid": same}, true},
		{"a file that says nothing of all", dovecot.Settings{"userdb/#1/driver": "passwd-file", "userdb/#1/args": "/x", "mail_uid": same}, false},
		{"a file, for all of whose users it is another", dovecot.Settings{"userdb/#1/driver": "passwd-file", "userdb/#1/override_fields": "uid=7"}, true},
		{"none", dovecot.Settings{}, false},
	} {
		if _, _, known := root.mailOwner(brought, tt.effective); known != tt.known {
			t.Errorf("%s: known is %t", tt.name, known)
		}
	}
}

// Who owns the mail is asked of the kernel, and this process stays who it is.
func TestWritable(t *testing.T) {
	if os.Geteuid() != 0 {
		pidgeontest.Gap(t, "only root can ask for somebody else")
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		mode     os.FileMode
		uid, gid int // the directory's
		writable bool
	}{
		{"its own", 0o700, 5000, 5000, true},
		{"its group's", 0o770, 0, 5000, true},
		{"everybody's", 0o777, 0, 0, true},
		{"root's", 0o755, 0, 0, false},
		{"root's group's", 0o770, 0, 0, false},
		{"not to be entered", 0o600, 5000, 5000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.Chown(dir, tt.uid, tt.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, tt.mode); err != nil {
				t.Fatal(err)
			}
			h := Host{Facts: container.Facts{Identity: container.Identity{}}}
			if got := h.writable(dir, 5000, 5000); got != tt.writable {
				t.Errorf("writable: %t", got)
			}
			if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
				t.Errorf("this process is not root any more: %v", err)
			}
		})
	}
}
