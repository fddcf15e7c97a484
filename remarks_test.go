package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pidgeon/finding"
)

// Whatever way a fault is told, it becomes a finding.
func TestFindings(t *testing.T) {
	one := finding.List{{Code: finding.UnknownSetting, Problem: "a"}}
	err := errors.Join(one, finding.List{{Problem: "X is b", Hint: "c"}}, fmt.Errorf("wrapped: %w", finding.List{{Code: finding.ForeignKey, Problem: "d"}}), errors.New("e"))
	var got []string
	for _, f := range findings(err) {
		got = append(got, string(f.Code)+" "+f.Error())
	}
	if want := "unknown-setting a|environment X is b: c|foreign-key d|check-failed e"; strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if found := findings(nil); found != nil {
		t.Errorf("of nothing: %v", found)
	}
}
