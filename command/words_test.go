package command

import (
	"bytes"
	"testing"
	"time"

	"pidgeon/dovecot/lint"
	"pidgeon/status"
)

func TestWords(t *testing.T) {
	limit := origin{"IMAP_CONCURRENCY", "100", "default"}
	ours := step{
		Line:          lint.Line{File: "template 60-sizes.conf", Line: 7, Setting: "service/auth/client_limit", Value: "600"},
		OverwrittenBy: "/overrides/x.conf:2: 5", Sum: "600 = 200 logins + 400 others", ResizedFrom: 512, Variables: []origin{limit},
	}
	theirs := step{Line: lint.Line{File: "/overrides/x.conf", Line: 2, Setting: "service/auth/client_limit", Value: "5"}, InForce: true}
	for name, tt := range map[string]struct {
		document    any
		words, want string
	}{
		"settings": {[]explanation{
			{Setting: "service/auth/client_limit", Value: "5", Scope: "in service auth", Default: "0", Chain: []step{ours, theirs}},
			{Setting: "login_trusted_networks", Scope: "everywhere", Chain: []step{}},
		}, "settings", `service/auth/client_limit = 5
  holds in service auth
  set by /overrides/x.conf:2: 5
  overwritten: template 60-sizes.conf:7: 600
    600 = 200 logins + 400 others
    resized from 512 to go with the overrides
    from IMAP_CONCURRENCY=100 (default)
  Dovecot's default: 0

login_trusted_networks = 
  holds everywhere
  set by nobody: it is Dovecot's default
`},
		"variable": {map[string]any{"variable": limit, "meaning": "sessions", "lines": []step{ours, theirs}}, "variable", `IMAP_CONCURRENCY=100 (default)
  sessions
  these lines depend on it
    template 60-sizes.conf:7: service/auth/client_limit = 600
      overwritten by /overrides/x.conf:2: 5
    /overrides/x.conf:2: service/auth/client_limit = 5
`},
		"variable without lines": {map[string]any{"variable": limit, "meaning": "sessions", "lines": []step{}}, "variable", `IMAP_CONCURRENCY=100 (default)
  sessions
  no line of Dovecot's configuration depends on it
`},
		"status": {status.Document{
			Version: "1", Dovecot: "2.4.1", Ready: true, Generation: "gen-1", Since: time.Unix(0, 0).UTC(), Overrides: []string{"a.conf", "b.conf"},
			Listeners: map[string]int{"imaps": 993, "imap": 143}, Usage: []status.Usage{{}}, Uncounted: "why", Container: status.Container{Limit: 44, By: "pids.max"},
			CertificateExpires: time.Unix(0, 0).UTC(), Refused: []string{"one", "two"},
		}, "status", `pidgeon	1
Dovecot	2.4.1
ready	true
generation	gen-1 since 1970-01-01T00:00:00Z
overrides	a.conf b.conf
listener	imap on port 143
listener	imaps on port 993
sessions	: ` + (status.Usage{}).String() + `
uncounted	why
container	has room for 44 sessions (pids.max)
certificate	expires 1970-01-01
degraded	false
refused	one
refused	two
`},
		"status of a start": {status.Document{}, "status", `pidgeon	
Dovecot	
ready	false
generation	none yet
overrides	
degraded	false
`},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := (Call{Stdout: &got}).print(false, tt.document, tt.words); err != nil || got.String() != tt.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, &got, tt.want)
			}
		})
	}
}
