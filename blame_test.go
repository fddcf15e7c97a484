package main

import (
	"errors"
	"fmt"
	"testing"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
)

func TestBlame(t *testing.T) {
	files := config.Files{
		{Name: "dovecot.conf", Origin: "template dovecot.conf"},
		{Name: "overrides/10-old.conf", Origin: "/overrides/10-old.conf", Data: []byte("a = 1\n")},
		{Name: "overrides/20-new.conf", Origin: "/overrides/20-new.conf", Data: []byte("b = 1\n")},
	}
	runs := builder{running: overrideDigests(files[:2])}
	slow := fmt.Errorf("imap: %w", dovecot.ErrSlow)
	tests := []struct {
		name  string
		b     builder
		files config.Files
		err   error
		want  string
	}{
		{"of the whole", runs, files, finding.List{{Problem: "p"}}, "/overrides/20-new.conf: p"},
		{"of the main file", runs, files, finding.List{{File: "template dovecot.conf", Problem: "p"}}, "/overrides/20-new.conf: p"},
		{"placed", runs, files, finding.List{{File: "/overrides/10-old.conf", Line: 2, Problem: "p"}}, "/overrides/10-old.conf:2: p"},
		{"slow", runs, files, slow, "/overrides/20-new.conf: imap: the rehearsal takes longer than 8 s"},
		{"other", runs, files, errors.New("no disk"), "no disk"},
		{"two are new", builder{}, files, finding.List{{Problem: "p"}}, "p"},
		{"none is new", builder{running: overrideDigests(files)}, files, finding.List{{Problem: "p"}}, "p"},
		{"a last good one", builder{running: overrideDigests(goodFiles(files[:2]))}, files, finding.List{{Problem: "p"}}, "/overrides/20-new.conf: p"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.b.blame(tt.err, tt.files); got.Error() != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
	if err := (builder{}).blame(nil, files); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	if !errors.Is(runs.blame(slow, files), dovecot.ErrSlow) {
		t.Error("a slow rehearsal is not known for one any more")
	}
}
