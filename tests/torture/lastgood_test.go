package torture

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestLastGood starts on the volumes of a good run with one bad override after
// the other: mail is served with the last good configuration, the operator is
// told, and the repaired one takes over without a restart.
func TestLastGood(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		makeRefs(t, s.path("refs"))
		s.Environ["CARRY_OVER"] = "no" // what is in the words of 2.3 is to be bad
		s.override(t, "10-good.conf", "login_greeting = good\n")
		s.startServing(t)
		s.mustBeCalm(t)
		s.stop(t)
		for _, o := range bad(t, dialect, rounds(1)) {
			s.override(t, o.name, o.fill(map[string]string{"REFS": s.path("refs"), "WORK": s.Work, "LONG": "a"}))
			s.startServing(t)
			if len(s.Log.Matches("starting with the last good configuration")) != 1 {
				t.Errorf("%s: it is not said once that the last good configuration is used", o.name)
			}
			if len(s.Log.Matches("msg=refused.*"+o.name)) == 0 {
				t.Errorf("%s: no finding names it", o.name)
			}
			s.mustServe(t, &crowd{})
			s.mustBe(t, "degraded: ")
			if err := os.Remove(s.path("overrides", o.name)); err != nil {
				t.Fatal(err)
			}
			s.mustBeCalm(t)
			s.mustServe(t, &crowd{})
			s.stop(t)
		}
	})
}

// TestOnInvalidFail starts with bad overrides where the operator wants nothing
// but what was asked for.
func TestOnInvalidFail(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		makeRefs(t, s.path("refs"))
		s.startServing(t)
		s.stop(t)
		s.Environ["ON_INVALID"], s.Environ["CARRY_OVER"] = "fail", "no"
		for _, o := range bad(t, dialect, rounds(1)) {
			s.override(t, o.name, o.fill(map[string]string{"REFS": s.path("refs"), "WORK": s.Work, "LONG": "a"}))
			from := time.Now()
			s.start(t)
			if code := s.exit(t, pidgeontest.Patience); code != 78 {
				t.Errorf("%s: exit code %d instead of 78", o.name, code)
			}
			if took := time.Since(from); took > 10*time.Second {
				t.Errorf("%s: took %v", o.name, took)
			}
			if err := os.Remove(s.path("overrides", o.name)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// bad are n overrides that have to be refused and need nothing of a ring.
func bad(t *testing.T, dialect string, n int) []override {
	t.Helper()
	all := slices.DeleteFunc(written(t), func(o override) bool {
		return o.want[dialect] != refused || strings.Contains(o.text, "@BUSY@") || strings.Contains(o.text, "@IMAP") || strings.Contains(o.name, ".tmpl")
	})
	var some []override
	for i := range n {
		some = append(some, all[i*len(all)/n])
	}
	return some
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.exit(t, pidgeontest.Patience); code != 0 {
		t.Errorf("stopped with exit code %d", code)
	}
}
