package torture

import (
	"syscall"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestLoginAcrossReloads connects before a reload and logs in after it, at once and
// when everything has come to rest.
func TestLoginAcrossReloads(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		for _, mode := range []string{"performance", "secure"} {
			s := newServer(t, dialect, root)
			s.Environ["IMAP_MODE"] = mode
			s.startServing(t)
			c := hold(t, s.port(), 5)
			for _, pause := range []time.Duration{0, 2 * time.Second} {
				waiting, err := pidgeontest.Greeted(s.port(), pidgeontest.Patience)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					s.Log.Mark()
					s.signal(syscall.SIGHUP)
					if !s.Log.Await("msg=reloaded", pidgeontest.Patience) {
						t.Fatal("not reloaded")
					}
					s.mustServe(t, c) // a SIGHUP on its heels can meet processes that have no configuration yet
				}
				time.Sleep(pause)
				if err := waiting.Open("user1", "pass"); err != nil {
					t.Errorf("%s: who connected before the reload, %v: %v", mode, pause, err)
				}
				waiting.Close()
				s.mustServe(t, c)
			}
			for _, line := range s.Log.Matches(`(auth|imap).*: (Error|Fatal|Panic): `) {
				t.Errorf("%s: Dovecot complains: %s", mode, line.Text)
			}
		}
	})
}
