package torture

import (
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestNoReloadLoop includes what each reload rewrites: the published
// configuration. That is refused once, not again and again.
func TestNoReloadLoop(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		s.startServing(t)
		c := hold(t, s.port(), 5)
		s.Log.Mark()
		s.override(t, "loop.conf", "!include "+s.path("run", "current", "dovecot.conf")+"\n")
		s.Log.Await("msg=refused", pidgeontest.Patience)
		time.Sleep(8 * time.Second)
		if hangups := s.Log.Matches("SIGHUP received"); len(hangups) > 2 {
			t.Errorf("%d reloads", len(hangups))
		}
		s.mustServe(t, c)
	})
}
