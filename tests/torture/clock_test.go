package torture

import (
	"fmt"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestClockJumps has the wall clock jump years, forth and back, while overrides
// change: nothing stalls, and only certificates are looked at with that clock.
func TestClockJumps(t *testing.T) {
	long(t)
	dir := pidgeontest.ShortTempDir(t)
	flags, err := clockHookIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := pidgeontest.Build(dir, flags...)
	if err != nil {
		t.Fatal(err)
	}
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServerOf(t, binary, dialect, root)
		cert, key := pair(t, "clock.example", nextYear())
		write(t, s.path("certs", "tls.crt"), cert)
		write(t, s.path("certs", "tls.key"), key)
		jump := func(d time.Duration) {
			if err := s.setClock(fmt.Sprint(int(d.Seconds()))); err != nil {
				t.Fatal(err)
			}
		}
		jump(0)
		s.startServing(t)
		c := hold(t, s.port(), 5)
		const year = 365 * 24 * time.Hour
		for i, d := range []time.Duration{10 * year, -10 * year, time.Hour, -time.Hour, 2 * year, 0} {
			s.Log.Mark()
			s.override(t, "greeting.conf", fmt.Sprintf("login_greeting = begun %d\n", i))
			time.Sleep(100 * time.Millisecond) // the look at it has not begun, or goes on
			jump(d)
			if !s.Log.Await("msg=reloaded", pidgeontest.Patience) {
				t.Errorf("%v: a change at the time of the jump is not carried out", d)
			}
			s.Log.Mark()
			s.override(t, "greeting.conf", fmt.Sprintf("login_greeting = after %d\n", i))
			if !s.Log.Await("msg=reloaded", pidgeontest.Patience) {
				t.Errorf("%v: a change after the jump is not carried out", d)
			}
			s.mustServe(t, c)
			s.mustBeCalm(t)
		}
		if len(s.Log.Matches("has expired")) > 0 {
			t.Error("warned of a certificate that has not expired")
		}
		s.Log.Mark()
		jump(10 * year)
		s.override(t, "greeting.conf", "login_greeting = with an old certificate\n")
		if !s.Log.Await("has expired", pidgeontest.Patience) {
			t.Error("nobody warns of a certificate that has expired by now")
		}
		s.mustServe(t, c)
		from := time.Now()
		s.stop(t)
		if took := time.Since(from); took > pidgeontest.Patience/2 {
			t.Errorf("took %v to stop", took)
		}
	})
}
