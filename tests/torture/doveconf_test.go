package torture

import (
	"os"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestDoveconfMisbehaves puts another doveconf before the real one, which does as
// it should unless told otherwise.
func TestDoveconfMisbehaves(t *testing.T) {
	const script = `#!/bin/sh
case $(cat "${0%/*}/mood" 2>/dev/null) in
hang) sleep 1000 & exec sleep 1000 ;;
killed) kill -9 $$ ;;
garbage) head -c 1000000 /dev/urandom >&2; head -c 1000000 /dev/urandom; exit 89 ;;
garbled) head -c 1000000 /dev/urandom ;;
silent) exit 1 ;;
mute) exit 0 ;;
flood) head -c 50000000 /dev/zero | tr '\0' 'x' >&2; exit 1 ;;
esac
exec /usr/bin/doveconf "$@"
`
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		write(t, s.path("bin", "doveconf"), script)
		if err := os.Chmod(s.path("bin", "doveconf"), 0o755); err != nil {
			t.Fatal(err)
		}
		s.startServing(t)
		c := hold(t, s.port(), 5)
		moods := []string{"garbage", "killed", "garbled", "silent", "mute", "hang", "flood"}
		if !*whole {
			moods = moods[:1]
		}
		for _, mood := range moods {
			t.Run(mood, func(t *testing.T) {
				s.Log.Mark()
				write(t, s.path("bin", "mood"), mood)
				s.override(t, "greeting.conf", "login_greeting = with a doveconf that is "+mood+"\n")
				if !s.Log.Await("msg=refused|not carried out", 2*pidgeontest.Patience) {
					t.Error("nobody said why the change is not in force")
				}
				if reloads := s.Log.Matches("SIGHUP"); len(reloads) > 0 {
					t.Error("what was not checked was loaded")
				}
				s.mustServe(t, c)
				if err := os.Remove(s.path("bin", "mood")); err != nil {
					t.Fatal(err)
				}
				s.Log.Mark()
				s.override(t, "greeting.conf", "login_greeting = after one that was "+mood+"\n")
				if !s.Log.Await("msg=reloaded", pidgeontest.Patience) {
					t.Error("with a good doveconf again, the change is not carried out")
				}
				s.mustServe(t, c)
				s.mustBeCalm(t)
			})
		}
	})
}

// TestDoveconfHangsOnce waits for what could not be checked to be checked again.
func TestDoveconfHangsOnce(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		write(t, s.path("bin", "doveconf"), "#!/bin/sh\n[ -e \"${0%/*}/mood\" ] && exec sleep 1000\nexec /usr/bin/doveconf \"$@\"\n")
		if err := os.Chmod(s.path("bin", "doveconf"), 0o755); err != nil {
			t.Fatal(err)
		}
		s.startServing(t)
		c := hold(t, s.port(), 5)
		write(t, s.path("bin", "mood"), "")
		s.override(t, "greeting.conf", "login_greeting = later\n")
		s.Log.Await("msg=refused|not carried out", 2*pidgeontest.Patience)
		if err := os.Remove(s.path("bin", "mood")); err != nil {
			t.Fatal(err)
		}
		if !s.Log.Await("msg=reloaded", time.Minute) {
			t.Error("the change is not made up for")
		}
		s.mustServe(t, c)
	})
}
