package torture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pidgeon/tests/pidgeontest"
)

// TestDiskFull fills a small file system below RUN_DIR, and one below STATE_DIR,
// on a running server, and changes an override.
func TestDiskFull(t *testing.T) {
	long(t)
	for _, variable := range []string{"RUN_DIR", "STATE_DIR"} {
		t.Run(variable, func(t *testing.T) {
			onEach(t, func(t *testing.T, dialect, root string) {
				s := newServer(t, dialect, root)
				dir := s.Environ[variable]
				s.launch.Before = fmt.Sprintf("mkdir -p %[1]s && mount -t tmpfs -o size=4m,mode=755 tmpfs %[1]s", dir)
				s.startServing(t)
				c := hold(t, s.port(), 5)
				filler := fill(t, s.Inside(dir))

				s.Log.Mark()
				s.override(t, "greeting.conf", "login_greeting = while full\n")
				if !s.Log.Await("no space left on device", pidgeontest.Patience) {
					t.Error("nobody said that the disk is full")
				}
				s.mustServe(t, c)

				s.Log.Mark()
				if err := os.Remove(filler); err != nil {
					t.Fatal(err)
				}
				s.override(t, "greeting.conf", "login_greeting = with room again\n")
				if !s.Log.Await("msg=reloaded", pidgeontest.Patience) {
					t.Error("with room again, the change is not carried out")
				}
				s.mustServe(t, c)
				s.mustBeCalm(t)
			})
		})
	}
}

// fill leaves no byte in the file system of dir and returns the file to remove.
func fill(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.WriteString(strings.Repeat("x", size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil && !errors.Is(err, io.ErrShortWrite):
			t.Fatal(err)
		}
	}
	return f.Name()
}

// TestStartsOnFullState starts where STATE_DIR has no room from the beginning:
// keeping the last good configuration is a service, not a condition.
func TestStartsOnFullState(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		cert, key := pair(t, "disk.example", nextYear())
		write(t, s.path("certs", "tls.crt"), cert)
		write(t, s.path("certs", "tls.key"), key)
		s.launch.Before = fmt.Sprintf("mkdir -p %[1]s && mount -t tmpfs -o size=64k,mode=755 tmpfs %[1]s && mkdir -p %[1]s/dovecot && { head -c 1M /dev/zero >%[1]s/filler || true; }", s.Environ["STATE_DIR"])
		s.startServing(t)
		if !s.Log.Await("last good configuration not kept.*no space left", pidgeontest.Patience) {
			t.Error("nobody said that there is no last good configuration")
		}
		s.mustServe(t, hold(t, s.port(), 2))
	})
}
