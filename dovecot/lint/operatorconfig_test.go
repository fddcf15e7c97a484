package lint

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pidgeon/config"
	"pidgeon/tests/dovecottest"
)

// TestReadOperatorConfig copies a configuration, and the copy means the same to Dovecot wherever it
// lies: files that are included, found by patterns or not there, and those that are read.
func TestReadOperatorConfig(t *testing.T) {
	dovecottest.OnEach(t, func(t *testing.T, h *dovecottest.Host) {
		head := ""
		if h.Dovecot.Dialect == "2.4" {
			head = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
		}
		etc := filepath.Join(h.Dir, "etc")
		write := func(name, text string) {
			dovecottest.Write(t, etc, name, text)
		}
		write("dovecot.conf", head+"login_greeting = main\n!include conf.d/*.conf\n!include_try "+etc+"/none.conf\n!include more/{a,b}.ext\nlisten = \\\n  <listen\n")
		write("conf.d/10-a.conf", "login_greeting = first\n")
		write("conf.d/20-b.conf", "!include ../more/deep.ext\nhostname = <../host\n")
		write("conf.d/.hidden.conf", "login_greeting = hidden\n")
		write("conf.d/README", "login_greeting = not matched\n")
		write("more/a.ext", "mail_max_userip_connections = 7\n")
		write("more/b.ext", "login_trusted_networks = 10.0.0.0/8\n")
		write("more/deep.ext", "login_greeting = deep\n")
		write("host", "mail.example.com")
		write("listen", "127.0.0.1")
		own, found := ReadOperatorConfig(filepath.Join(etc, "dovecot.conf"))
		if len(found) > 0 {
			t.Fatal(found)
		}
		if len(own.Files) != 6 || own.Files[0].Name != config.Main {
			t.Fatalf("copied %v", own.Files)
		}
		if !slices.Contains(own.Included, etc+"/none.conf") || !slices.Contains(own.Dirs, etc+"/conf.d") {
			t.Errorf("included: %v, patterns in %v", own.Included, own.Dirs)
		}
		dump := func(dir string) string {
			var out bytes.Buffer
			cmd := exec.Command(h.Dovecot.Doveconf, "-x", "-n", "-c", filepath.Join(dir, "dovecot.conf"))
			cmd.Stdout = &out
			if err := h.Dovecot.Run(t.Context(), cmd); err != nil {
				t.Error(err)
			}
			return strings.ReplaceAll(out.String(), dir, "")
		}
		before := dump(etc)
		copied := filepath.Join(h.Dir, "generation")
		for _, f := range own.Files {
			original, err := os.ReadFile(f.Origin)
			if err != nil || strings.Count(string(original), "\n") != strings.Count(string(f.Data), "\n") {
				t.Errorf("%s has other lines than %s (%v):\n%s", f.Name, f.Origin, err, f.Data)
			}
			dovecottest.Write(t, copied, f.Name, string(f.Data))
		}
		if err := os.Rename(filepath.Join(etc, "conf.d"), filepath.Join(etc, "gone")); err != nil {
			t.Fatal(err)
		}
		if after := dump(copied); after != before {
			t.Errorf("the copy means\n%s\nand the original\n%s", after, before)
		}
		for _, part := range []string{"deep", "mail.example.com", "= 7", "10.0.0.0/8"} {
			if !strings.Contains(before, part) {
				t.Errorf("the original lacks %q:\n%s", part, before)
			}
		}
		c := Parse(own.Files, copied)
		if n := len(c.files); n != 6 || len(c.byPath) != 6 || c.last(nil, "login_greeting").value != "deep" {
			t.Errorf("lint reads %d files: %v", n, c.order)
		}
	})
}

// Everything that a configuration is made of is known, whoever reads it, and what is
// made by Dovecot or lies with the users is no part of it.
func TestFilesThatAreNamed(t *testing.T) {
	scripts := t.TempDir()
	dovecottest.Write(t, scripts, "spam.sieve", "keep;\n")
	tests := []struct {
		text                 string
		references, followed []string
	}{
		{"passdb {\n  driver = sql\n  args = /etc/dovecot/sql.conf.ext\n}\n", []string{"/etc/dovecot/sql.conf.ext"}, nil},
		{"userdb {\n  args = file=/etc/dovecot/auth.lua blocking=yes\n  driver = lua\n}\n", []string{"/etc/dovecot/auth.lua"}, nil},
		{"passdb {\n  driver = passwd-file\n  args = scheme=PLAIN username_format=%u /etc/dovecot/users\n}\n", nil, []string{"/etc/dovecot/users"}},
		{"passdb {\n  driver = passwd-file\n  args = /srv/%d/users\n}\n", nil, nil},
		{"userdb {\n  driver = static\n  args = uid=8 gid=8 home=/srv/mail/%u\n}\n", nil, nil},
		{"dict {\n  quota = mysql:/etc/dovecot/quota.ext\n}\n", []string{"/etc/dovecot/quota.ext"}, nil},
		{"plugin {\n  sieve = file:/srv/x/%u;active=~/a.sieve\n  sieve_before2 = " + scripts + "\n  imapsieve_mailbox1_before = file:/etc/learn.sieve\n  quota = maildir:/x\n}\n", nil, []string{"/etc/learn.sieve", scripts, scripts + "/spam.sieve"}},
		{"passdb file {\n  driver = passwd-file\n  passwd_file_path = /etc/dovecot/users\n}\n", nil, []string{"/etc/dovecot/users"}},
		{"sieve_script before {\n  type = before\n  path = /etc/before.sieve\n}\n", nil, []string{"/etc/before.sieve"}},
		{"userdb lua {\n  lua_file = /etc/auth.lua\n}\nssl_server_cert_file = /certs/x\n", []string{"/certs/x", "/etc/auth.lua"}, nil},
		{"sqlite_path = /srv/users.db\nlog_path = /var/log/x\nmail_path = /srv/mail\n", nil, nil},
	}
	for _, tt := range tests {
		c := Parse(config.Files{{Name: config.Main, Origin: "main", Override: true, Data: []byte(tt.text)}}, "/g")
		if got := c.References(); !slices.Equal(got, tt.references) {
			t.Errorf("%s: references %v, not %v", tt.text, got, tt.references)
		}
		if got := c.FilesDovecotWatches(); !slices.Equal(got, tt.followed) {
			t.Errorf("%s: followed %v, not %v", tt.text, got, tt.followed)
		}
	}
}
