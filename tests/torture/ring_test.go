package torture

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

const (
	// verdictPatience is how long an answer is waited for, so that a late one is not
	// taken for the next override's; verdictLimit is how long it may take. A
	// rehearsal that hangs is given up after 8 s.
	verdictPatience = 2 * time.Minute
	verdictLimit    = 30 * time.Second
	// findingPatience is how long the finding that names the override may come after
	// another one.
	findingPatience = time.Second
)

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
		"REFS": r.server.path("refs"), "WORK": r.server.Work, "BUSY": port, "FREE": pidgeontest.FreePort(),
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
	pidgeontest.Within(verdictPatience, func() bool {
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
	pidgeontest.Within(verdictPatience, func() bool {
		log := r.server.Log
		switch {
		case r.server.Over():
			return true
		case len(log.Matches("msg=refused")) > 0:
			res.outcome = refused
			// There may be more than one.
			pidgeontest.Within(findingPatience, func() bool { return res.naming(log.Matches("msg=refused")) >= 0 })
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

// close takes the last override away: the server must be as it was.
func (r *ring) close() {
	r.t.Helper()
	r.remove()
	calm := func() bool {
		code, out := r.server.Health()
		return code == 0 && strings.Contains(out, "healthy: ")
	}
	if !pidgeontest.Within(verdictPatience, calm) {
		_, out := r.server.Health()
		r.t.Errorf("after the last override was taken away: %s", out)
	}
	if lost := r.crowd.lost(); lost > 0 {
		r.t.Errorf("%d sessions were lost at the end", lost)
	}
}
