package candidate

import (
	"fmt"
	"slices"
	"testing"

	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/sizing"
)

func TestLimitWarnings(t *testing.T) {
	line := func(setting string, n int) lint.Line {
		return lint.Line{Setting: "service/imap-login/" + setting, File: "/overrides/x.conf", Line: n, Override: true}
	}
	builtin := lint.Line{Setting: "service/imap-login/process_limit", File: "template 60-sizes.conf", Line: 9}
	tests := []struct {
		name               string
		processes, clients int // of imap-login
		sessions           int // process_limit of imap
		lines              []lint.Line
		want               []string
	}{
		{"as asked for", 2, 515, 1030, []lint.Line{builtin}, nil},
		{"fewer logins", 1, 515, 1030, []lint.Line{builtin, line("process_limit", 2)}, []string{"undercut /overrides/x.conf:2"}},
		{"the later line counts", 1, 10, 1030, []lint.Line{line("process_limit", 2), line("client_limit", 3)}, []string{"undercut /overrides/x.conf:3"}},
		{"fewer sessions", 2, 515, 100, nil, []string{"undercut "}},
		{"processes taken for sessions", 200, 515, 103000, []lint.Line{builtin, line("process_limit", 2)}, []string{"overshoot /overrides/x.conf:2"}},
		{"both limits are meant", 200, 515, 103000, []lint.Line{line("process_limit", 2), line("client_limit", 3)}, nil},
		{"a process for each session", 5000, 1, 5000, []lint.Line{line("process_limit", 2)}, nil},
		{"some more", 3, 515, 1545, []lint.Line{line("process_limit", 2)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			effective := dovecot.Settings{
				"service/imap-login/process_limit": fmt.Sprint(tt.processes), "service/imap-login/client_limit": fmt.Sprint(tt.clients),
				"service/imap/process_limit": fmt.Sprint(tt.sessions), "service/imap/client_limit": "1",
			}
			var got []string
			for _, f := range limitWarnings(effective, tt.lines, []sizing.Protocol{{Name: "imap", Sessions: 1000}}) {
				got = append(got, fmt.Sprintf("%s %s", f.Code, f.Place()))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
