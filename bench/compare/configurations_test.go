package main

import (
	"strings"
	"testing"
)

func TestConf(t *testing.T) {
	c := configuration{limits: []setting{
		{"", "default_client_limit", "10400"},
		{"imap-login", "service_count", "0"},
		{"imap-login", "process_limit", cpus},
	}}
	tests := map[string]string{
		"2.3": "default_client_limit = 10400\nservice imap-login {\n  service_count = 0\n}\nservice imap-login {\n  process_limit = 4\n}\n",
		"2.4": "default_client_limit = 10400\nservice imap-login {\n  restart_request_count = unlimited\n}\nservice imap-login {\n  process_limit = 4\n}\n",
	}
	for dialect, want := range tests {
		if got := c.conf(dialect, 4); got != want {
			t.Errorf("%s: got %q, want %q", dialect, got, want)
		}
	}
}

// Each dialect has every row once, stock first: ratios are to it.
func TestConfigurations(t *testing.T) {
	for _, dialect := range []string{"2.3", "2.4"} {
		seen := map[string]bool{}
		for i, c := range configurations(dialect) {
			if seen[c.name] || c.source == "" || (i == 0) != (c.name == "stock") {
				t.Errorf("%s: %+v", dialect, c)
			}
			seen[c.name] = true
			if c.mode != "-" && c.limits != nil {
				t.Errorf("%s sets its own limits", c.name)
			}
		}
		if len(seen) != 7 {
			t.Errorf("%s has %d rows", dialect, len(seen))
		}
	}
}

func TestFixturesConf(t *testing.T) {
	for _, dialect := range []string{"2.3", "2.4"} {
		f := fixtures{dir: "/fixtures", dialect: dialect}
		text, err := f.conf(configuration{limits: []setting{{"imap", "process_limit", "7"}}}, ports{IMAP: "4711", IMAPS: "4712"})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"/fixtures/users", "/fixtures/tls.crt", "port = 4711", "port = 4712", "home=/srv/mail/%u", "process_limit = 7"} {
			if dialect == "2.4" {
				part = strings.ReplaceAll(part, "home=/srv/mail/%u", "home = /srv/mail/%{user}")
			}
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", dialect, part, text)
			}
		}
	}
}

func TestComplaints(t *testing.T) {
	got := complaints(`Nov 23 19:00:00 master: Warning: service(imap-login): process_limit (100) reached, client connections are being dropped
Nov 23 19:00:09 master: Warning: service(imap-login): process_limit (100) reached, client connections are being dropped
Nov 23 19:00:01 imap-login: Info: Login: user=<user7>
Nov 23 19:00:02 imap(user7)<12>: Error: one thing
Nov 23 19:00:02 imap(user8)<13>: Error: one thing
level=WARN msg=noticed what=another
level=INFO msg=started
`)
	want := "Warning: service(imap-login): process_limit (100) reached, client connections are being dropped|Error: one thing|level=WARN msg=noticed what=another"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}
