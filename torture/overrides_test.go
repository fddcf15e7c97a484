package torture

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pidgeon/tests/enclosure"
)

var (
	whole = flag.Bool("whole", false, "play the whole corpus and print a table")
	only  = flag.String("only", "", "play the overrides whose name matches")
)

const (
	idlers = 50
	// sample is how many overrides each dialect gets in a plain go test.
	sample = 13
	// verdictPatience is how long an answer is waited for, so that a late one is not
	// taken for the next override's; verdictLimit is how long it may take. A
	// rehearsal that hangs is given up after 10 s.
	verdictPatience = 2 * time.Minute
	verdictLimit    = 30 * time.Second
	// flight is how near to the line that tells of a SIGHUP a login has been under way
	// that may fail for it: for some milliseconds Dovecot asks the auth process of one
	// generation about what that of the other one knows (2.3.19, 2.4.1). The second
	// attempt has to succeed.
	flight = 300 * time.Millisecond
)

// TestOverrides drops bad overrides on a running server, one after the other,
// while 50 users idle and one logs in every 100 ms.
func TestOverrides(t *testing.T) {
	all := corpus(t)
	enclosure.OnEach(t, func(t *testing.T, dialect, root string) {
		total := tally{dialect: dialect, outcomes: map[string]int{}}
		ring := &ring{t: t, server: newServer(t, dialect, root)}
		ring.open()
		defer ring.prober.end()
		for _, o := range selection(all, dialect) {
			r := ring.play(o)
			total.add(r)
			if *whole {
				fmt.Println(r)
			}
			if r.verdict != "" {
				t.Errorf("%s: %s", o.name, r)
			}
		}
		ring.close()
		fmt.Println(total)
	})
}

// selection is all that a dialect has to bear, or a sample that is the same in
// every run.
func selection(all []override, dialect string) []override {
	all = slices.DeleteFunc(slices.Clone(all), func(o override) bool { return o.want[dialect] == skipped })
	switch {
	case *only != "":
		pattern := regexp.MustCompile(*only)
		return slices.DeleteFunc(all, func(o override) bool { return !pattern.MatchString(o.name) })
	case *whole:
		return all
	}
	var some []override
	for i := range sample {
		some = append(some, all[i*len(all)/sample])
	}
	return some
}

// ring is where a server meets the corpus.
type ring struct {
	t      *testing.T
	server *server
	places map[string]string
	crowd  *crowd
	prober *prober
	last   string // the override that lies there
}

func (r *ring) open() {
	r.t.Helper()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { busy.Close() })
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	r.places = map[string]string{
		"REFS": r.server.path("refs"), "WORK": r.server.Work, "BUSY": port, "FREE": enclosure.FreePort(),
		"IMAPS": r.server.Environ["IMAPS_PORT"], "IMAP": r.server.Environ["IMAP_PORT"],
		"LONG": strings.Repeat("a", 64<<10),
	}
	makeRefs(r.t, r.server.path("refs"))
	r.begin()
}

func (r *ring) begin() {
	r.t.Helper()
	r.server.startServing(r.t)
	r.crowd = hold(r.t, r.server.port(), idlers)
	r.prober = probeAll(r.t, r.server.port())
}

// revive starts again after an override that ended the server, so that the rest
// of the corpus is played too.
func (r *ring) revive() {
	r.prober.end()
	r.remove()
	r.server.Kill()
	r.begin()
}

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

// play drops one override and looks at what comes of it.
func (r *ring) play(o override) result {
	res := result{name: o.name, dialect: r.server.dialect, want: o.want[r.server.dialect]}
	text := o.fill(r.places)
	res.files = append(included(text), r.server.path("overrides", o.name))
	r.prober.take()
	r.server.Log.Mark()
	from := time.Now()
	r.remove()
	r.server.override(r.t, o.name, text)
	r.last = o.name
	r.await(&res)
	res.took = time.Since(from)
	if r.server.Over() {
		res.outcome, res.lost = "died", idlers
		res.judge(r.server)
		r.revive()
		return res
	}
	if res.outcome == applied {
		r.takeBack()
	}
	back := time.Now()
	r.prober.settle(back)
	res.lost = r.crowd.lost()
	attempts := r.prober.take()
	if res.want == warned {
		attempts = slices.DeleteFunc(attempts, func(a probe) bool { return a.from.Before(back) })
	}
	res.count(attempts, r.server.Log.Matches("SIGHUP received"))
	res.judge(r.server)
	if r.server.Over() || res.lost > 0 {
		r.revive()
	}
	return res
}

// takeBack takes an override away that was applied, and waits for what comes of it.
func (r *ring) takeBack() {
	r.remove()
	mark := time.Now()
	enclosure.Within(verdictPatience, func() bool {
		lines := r.server.Log.Matches(`msg=(reloaded|refused|"changed without effect")`)
		return len(lines) > 0 && lines[len(lines)-1].At.After(mark)
	})
}

func (r *ring) remove() {
	if r.last == "" {
		return
	}
	if err := os.Remove(r.server.path("overrides", r.last)); err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	r.last = ""
}

// await waits for the verdict on what was written.
func (r *ring) await(res *result) {
	res.outcome = "silence"
	enclosure.Within(verdictPatience, func() bool {
		log := r.server.Log
		switch {
		case r.server.Over():
			return true
		case len(log.Matches("msg=refused")) > 0:
			res.outcome = refused
			time.Sleep(50 * time.Millisecond) // there may be more than one
		case len(log.Matches("msg=reloaded")) > 0:
			res.outcome = applied
		case len(log.Matches(`msg="changed without effect"`)) > 0:
			res.outcome = idle
		default:
			return false
		}
		return true
	})
}

// count sorts the attempts to log in.
func (r *result) count(attempts []probe, hangups []enclosure.Line) {
	r.logins = len(attempts)
	for _, a := range attempts {
		r.slowest = max(r.slowest, a.to.Sub(a.from))
		if a.err == nil {
			continue
		}
		atReload := slices.ContainsFunc(hangups, func(h enclosure.Line) bool {
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

// judge compares with what was expected.
func (r *result) judge(s *server) {
	found := s.Log.Matches("msg=refused")
	names := func(l enclosure.Line) bool {
		return slices.ContainsFunc(r.files, func(file string) bool { return strings.Contains(l.Text, file) })
	}
	named := slices.IndexFunc(found, names)
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
	case r.want == warned && !slices.ContainsFunc(s.Log.Matches("msg=noticed.*the listener"), names):
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

// close takes the last override away: the server must be as it was.
func (r *ring) close() {
	r.t.Helper()
	r.remove()
	calm := func() bool {
		code, out := r.server.Health()
		return code == 0 && strings.Contains(out, "degraded: false")
	}
	if !enclosure.Within(verdictPatience, calm) {
		_, out := r.server.Health()
		r.t.Errorf("after the last override was taken away: %s", out)
	}
	if lost := r.crowd.lost(); lost > 0 {
		r.t.Errorf("%d sessions were lost at the end", lost)
	}
}
