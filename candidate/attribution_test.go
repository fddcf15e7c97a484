package candidate

import (
	"errors"
	"fmt"
	"testing"

	"pidgeon/config"
	"pidgeon/dovecot/rehearsal"
	"pidgeon/finding"
)

func TestAttribution(t *testing.T) {
	files := config.Files{
		{Name: "dovecot.conf", Origin: "template dovecot.conf"},
		{Name: "overrides/10-old.conf", Origin: "/overrides/10-old.conf", Data: []byte("a = 1\n")},
		{Name: "overrides/20-new.conf", Origin: "/overrides/20-new.conf", Data: []byte("b = 1\n")},
	}
	for i := range files {
		files[i].Override = i > 0
	}
	runs := Live{Overrides: digests(files[:2])}
	for _, tt := range []struct {
		name  string
		live  Live
		found finding.Finding
		want  string
	}{
		{"of the whole", runs, finding.Finding{Problem: "p"}, "/overrides/20-new.conf: p"},
		{"of the main file", runs, finding.Finding{File: "template dovecot.conf", Problem: "p"}, "/overrides/20-new.conf: p"},
		{"placed", runs, finding.Finding{File: "/overrides/10-old.conf", Line: 2, Problem: "p"}, "/overrides/10-old.conf:2: p"},
		{"a warning", runs, finding.Finding{Problem: "p", Warning: true}, "p"},
		{"two are new", Live{}, finding.Finding{Problem: "p"}, "p"},
		{"none is new", Live{Overrides: digests(files)}, finding.Finding{Problem: "p"}, "p"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.live.attribute(finding.List{tt.found}, files, finding.List.Faults); got.Error() != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
	slow := fmt.Errorf("imap: %w", rehearsal.ErrSlow)
	if got := runs.blame(slow, files); got.Error() != "/overrides/20-new.conf: imap: the rehearsal takes too long" || !errors.Is(got, rehearsal.ErrSlow) {
		t.Errorf("of a slow rehearsal: %v", got)
	}
	if got := runs.blame(errors.New("no disk"), files); got.Error() != "no disk" {
		t.Errorf("of another error: %v", got)
	}
	if got := runs.blame(nil, files); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}
