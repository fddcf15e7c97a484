package torture

import (
	"os"
	"testing"

	"pidgeon/tests/pidgeontest"
)

// TestOverridesVanish takes the whole directory away, puts other things in its
// place, and brings it back.
func TestOverridesVanish(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		s.override(t, "greeting.conf", "login_greeting = kept\n")
		s.startServing(t)
		c := hold(t, s.port(), 5)
		overrides, aside := s.path("overrides"), s.path("aside")
		for name, place := range map[string]func() error{
			"nothing":     func() error { return nil },
			"a file":      func() error { return os.WriteFile(overrides, []byte("x"), 0o644) },
			"a dead link": func() error { return os.Symlink("nowhere", overrides) },
			"itself":      func() error { return os.Symlink("overrides", overrides) },
		} {
			t.Run(name, func(t *testing.T) {
				s.Log.Mark()
				if err := os.Rename(overrides, aside); err != nil {
					t.Fatal(err)
				}
				if err := place(); err != nil {
					t.Fatal(err)
				}
				if !s.Log.Await("msg=refused.*overrides", pidgeontest.Patience) {
					t.Error("nobody said that the overrides are gone")
				}
				s.mustServe(t, c)
				s.Log.Mark()
				_ = os.Remove(overrides)
				if err := os.Rename(aside, overrides); err != nil {
					t.Fatal(err)
				}
				if !s.Log.Await("taken back", 2*pidgeontest.Patience) {
					t.Error("nobody noticed that they are back")
				}
				s.mustServe(t, c)
				s.mustBeCalm(t)
				if hangups := s.Log.Matches("SIGHUP"); len(hangups) > 0 {
					t.Error("Dovecot was reloaded for nothing")
				}
			})
		}
		// They are followed still.
		s.Log.Mark()
		s.override(t, "greeting.conf", "login_greeting = changed\n")
		if !s.Log.Await("msg=reloaded", 2*pidgeontest.Patience) {
			t.Error("a change in the directory that came back is not seen")
		}
	})
}
