package torture

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// flight is how near to the line that tells of a SIGHUP a login has been under way
// that may fail for it: for some milliseconds Dovecot asks the auth process of one
// generation about what that of the other one knows (2.3.19, 2.4.1). The second
// attempt has to succeed.
const flight = 300 * time.Millisecond

// result is a line of the table.
type result struct {
	name, dialect, want string
	files               []string // that may be at fault: the override, and those it includes
	outcome             string
	finding             string
	lost                int // sessions
	logins              int
	failed              int // logins
	flying              int // logins that failed because they were under way at a reload
	took                time.Duration
	slowest             time.Duration // login
	verdict             string        // empty if all is as it should be
	why                 string        // of the first failed login
}

func (r result) String() string {
	verdict := "pass"
	if r.verdict != "" {
		verdict = "FAIL " + r.verdict
	}
	return fmt.Sprintf("%-44s %s %-8s lost=%d failed=%d in-flight=%d %5d ms (login ≤ %d ms) %s | %.160s%s",
		r.name, r.dialect, r.outcome, r.lost, r.failed, r.flying, r.took.Milliseconds(), r.slowest.Milliseconds(), verdict, r.finding, r.why)
}

// count sorts the attempts to log in.
func (r *result) count(attempts []probe, hangups []pidgeontest.Line) {
	r.logins = len(attempts)
	for _, a := range attempts {
		r.slowest = max(r.slowest, a.to.Sub(a.from))
		if a.err == nil {
			continue
		}
		atReload := slices.ContainsFunc(hangups, func(h pidgeontest.Line) bool {
			return a.from.Before(h.At.Add(flight)) && a.to.After(h.At.Add(-flight))
		})
		if atReload && a.again == nil {
			r.flying++
			continue
		}
		if r.failed++; r.why == "" {
			r.why = fmt.Sprintf(" (%v)", a.err)
		}
	}
}

var inclusion = regexp.MustCompile(`(?m)^\s*!include(?:_try)?\s+(/\S+)`)

// included are the files that a text includes; of a file that includes others, all
// in its directory.
func included(text string) (files []string) {
	for _, m := range inclusion.FindAllStringSubmatch(text, -1) {
		files = append(files, filepath.Dir(m[1])+"/")
	}
	return files
}

var reason = regexp.MustCompile(`reason=("(?:[^"\\]|\\.)*"|\S+)`)

// naming is the first line that names a file that may be at fault, or -1.
func (r *result) naming(lines []pidgeontest.Line) int {
	return slices.IndexFunc(lines, func(l pidgeontest.Line) bool {
		return slices.ContainsFunc(r.files, func(file string) bool { return strings.Contains(l.Text, file) })
	})
}

// judge compares with what was expected.
func (r *result) judge(s *server) {
	found := s.Log.Matches("msg=refused")
	named := r.naming(found)
	if len(found) > 0 {
		if m := reason.FindStringSubmatch(found[max(0, named)].Text); m != nil {
			r.finding = strings.ReplaceAll(m[1], s.Work, "")
		}
	}
	if r.outcome == refused && len(s.Log.Matches("msg=changed ")) > 0 {
		r.outcome = "undone"
	}
	switch {
	case r.lost > 0 || r.failed > 0:
		r.verdict = "mail suffered"
	case r.outcome == "silence":
		r.verdict = "nothing was said"
	case r.took > verdictLimit:
		r.verdict = "it took too long to say"
	case r.outcome == "undone" && r.want != either:
		r.verdict = "let through to Dovecot, and undone"
	case r.outcome == refused && named < 0:
		r.verdict = "the finding does not name the file"
	case r.want == warned && r.naming(s.Log.Matches("msg=noticed.*the listener")) < 0:
		r.verdict = "no warning names the file"
	case !r.asWanted():
		r.verdict = "not " + r.want
	}
}

func (r *result) asWanted() bool {
	switch r.want {
	case either:
		return true
	case warned:
		return r.outcome == applied
	case harmless:
		return r.outcome == applied || r.outcome == idle
	}
	return r.outcome == r.want
}

// TestCount tells a login that a reload has hit from one that fails.
func TestCount(t *testing.T) {
	hup := time.Now()
	at := func(from, to time.Duration, err, again error) probe {
		return probe{from: hup.Add(from), to: hup.Add(to), err: err, again: again}
	}
	no := errors.New("no")
	for _, tt := range []struct {
		name           string
		attempt        probe
		failed, flying int
	}{
		{"fine", at(-time.Second, time.Second, nil, nil), 0, 0},
		{"under way", at(-time.Second, time.Second, no, nil), 0, 1},
		{"under way, and again in vain", at(-time.Second, time.Second, no, no), 1, 0},
		{"before", at(-3*time.Second, -2*time.Second, no, nil), 1, 0},
		{"after", at(time.Second, 2*time.Second, no, nil), 1, 0},
	} {
		var r result
		r.count([]probe{tt.attempt}, []pidgeontest.Line{{At: hup}})
		if r.logins != 1 || r.failed != tt.failed || r.flying != tt.flying {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}
