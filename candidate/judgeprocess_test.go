package candidate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"pidgeon/config"
	"pidgeon/finding"
)

// answers is a process that writes something, and then ends in some way.
func answers(text string, end error) func(context.Context, *exec.Cmd) error {
	return func(_ context.Context, cmd *exec.Cmd) error {
		_, _ = cmd.Stdout.Write([]byte(text))
		return end
	}
}

// Of a process that judges the last whole verdict counts, whatever became of it.
func TestRunJudge(t *testing.T) {
	undecided := `{"outcome":"undecided","findings":[{"severity":"error","problem":"it did not end"}]}` + "\n"
	refused := `{"outcome":"refused","findings":[{"severity":"error","file":"/x","line":3,"problem":"wrong"},{"severity":"warning","problem":"odd"}]}` + "\n"
	killed := errors.New("signal: killed")
	for _, tt := range []struct {
		name    string
		text    string
		end     error
		outcome Outcome
		faults  string
	}{
		{"it ends well", undecided + refused, nil, Refused, "/x:3: wrong"},
		{"it is killed before its verdict", undecided, killed, Undecided, "it did not end"},
		{"it is killed while it writes", undecided + refused[:40], killed, Undecided, "it did not end"},
		{"it says nothing", "", killed, Undecided, "judging the configuration: no verdict: signal: killed"},
		{"it never stops", undecided + strings.Repeat("x", 2*maxVerdict), nil, Undecided, "it did not end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := RunJudge(t.Context(), answers(tt.text, tt.end), nil, Request{})
			if v.Outcome != tt.outcome || v.Findings.Faults().Error() != tt.faults {
				t.Errorf("got %s %v", v.Outcome, v.Findings)
			}
		})
	}
}

// A verdict stays small whatever it is about: PID 1 reads it.
func TestVerdictIsSmall(t *testing.T) {
	var found finding.List
	for range 100_000 {
		found = append(found, finding.Finding{Code: finding.UnknownSetting, File: "/overrides/x.conf", Problem: strings.Repeat("y", 10_000)})
	}
	text, err := json.Marshal(Verdict{}.with(found, nil))
	if err != nil || len(text) > maxVerdict/2 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	v := Verdict{}.with(found, nil)
	if last := v.Findings[len(v.Findings)-1]; v.Outcome != Refused || last.Code != finding.MoreFaults {
		t.Errorf("%s, and last %v", v.Outcome, last)
	}
	lines := finding.List{{Code: finding.SameValue, Line: 1}}
	for n := range 1000 {
		lines = append(lines, finding.Finding{Code: finding.SameValue, File: "/overrides/x.conf", Line: n + 1, Problem: "same", Warning: true})
	}
	if v := (Verdict{}).with(lines, nil); len(v.Findings) != 2 || v.Findings[1].Problem != "same (999 more lines are such; pidgeon check --all names them)" {
		t.Errorf("of many lines: %v", v.Findings)
	}
	if v := (Verdict{all: true}).with(lines[:100], nil); len(v.Findings) != 100 {
		t.Errorf("%d findings of 100", len(v.Findings))
	}
	if v := (Verdict{}).with(found[:3], nil); len(v.Findings) != 3 {
		t.Errorf("%d findings of 3", len(v.Findings))
	}
}

// What ends a judgement is mostly in the largest files.
func TestInterruptedNamesFiles(t *testing.T) {
	var files config.Files
	for i, size := range []int{10, 3000, 2000, 9000, 20} {
		files = append(files, config.File{Origin: fmt.Sprintf("/overrides/%d.conf", i), Data: make([]byte, size)})
	}
	want := "/overrides/3.conf, /overrides/1.conf, /overrides/2.conf: the check of 5 files, of up to 8 KiB, did not come to an end within 2m0s and 192 MiB: leave out what is large, or includes much; it is tried again"
	if v := interrupted(files); v.Findings.Error() != want || v.Outcome != Undecided || !v.Slow {
		t.Errorf("got %v", v)
	}
	if v := interrupted(nil); v.Findings[0].File != "" {
		t.Errorf("got %v", v.Findings)
	}
}

func TestClosedListeners(t *testing.T) {
	bound := []config.Listener{{Name: "imap", Port: 143}, {Name: "imaps", Port: 993}}
	if found := closedListeners(bound, []config.Listener{{Name: "mine", Port: 143}}); found.Error() != "the listener imaps on port 993 goes away" || !found[0].Warning {
		t.Errorf("got %v", found)
	}
	if found := closedListeners(bound, bound); len(found) > 0 {
		t.Errorf("got %v", found)
	}
}
