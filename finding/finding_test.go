package finding_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pidgeon/finding"
)

func TestError(t *testing.T) {
	tests := []struct {
		finding finding.Finding
		want    string
	}{
		{finding.Finding{Problem: "it rains"}, "it rains"},
		{finding.Finding{Problem: "it rains", Hint: "stay in"}, "it rains: stay in"},
		{finding.Finding{Line: 3, Problem: "it rains"}, "it rains"},
		{finding.Finding{File: "/a.conf", Problem: "it rains"}, "/a.conf: it rains"},
		{finding.Finding{File: "/a.conf", Line: 3, Problem: "it rains", Hint: "stay in", Warning: true}, "/a.conf:3: it rains: stay in"},
		{finding.Finding{File: "/a\nb.conf", Problem: "é…\x1b[2J\xff\u202e\"\\"}, `/a\nb.conf: é…\x1b[2J\xff\u202e"\`},
	}
	for _, tt := range tests {
		if got := tt.finding.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestList(t *testing.T) {
	list := finding.List{{Problem: "a", Warning: true}, {Problem: "b"}, {Problem: "c", Warning: true}, {Problem: "d"}}
	for _, tt := range []struct {
		name string
		list finding.List
		want string
	}{
		{"all", list, "a\nb\nc\nd"},
		{"faults", list.Faults(), "b\nd"},
		{"warnings", list.Warnings(), "a\nc"},
		{"none", finding.List{}.Faults(), ""},
	} {
		if got := tt.list.Error(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Whatever way a fault is told, it becomes a finding.
func TestOf(t *testing.T) {
	one := finding.List{{Code: finding.UnknownSetting, Problem: "a"}}
	err := errors.Join(one, finding.List{{Problem: "X is b", Hint: "c"}}, fmt.Errorf("wrapped: %w", finding.List{{Code: finding.ForeignKey, Problem: "d"}}), errors.New("e"))
	var got []string
	for _, f := range finding.Of(err) {
		got = append(got, string(f.Code)+" "+f.Error())
	}
	if want := "unknown-setting a| X is b: c|foreign-key d|check-failed e"; strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if found := finding.Of(nil); found != nil {
		t.Errorf("of nothing: %v", found)
	}
}
