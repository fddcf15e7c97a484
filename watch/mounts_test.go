package watch

import (
	"log/slog"
	"maps"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMountPoints(t *testing.T) {
	const table = `22 27 0:21 / /proc rw,relatime - proc proc rw
31 27 254:0 /srv/with\040blank /overrides rw - ext4 /dev/vda rw
32 27 254:0 /srv/tls.crt//deleted /certs/a\134b\040c.crt rw - ext4 /dev/vda rw
33 27 254:0 /srv/old//deleted /covered rw - ext4 /dev/vda rw
34 33 254:0 /srv/new /covered rw - ext4 /dev/vda rw
short line
35 27 254:0 / /odd\09 rw
`
	want := map[string]bool{
		"/proc": false, "/overrides": false, `/certs/a\b c.crt`: true, "/covered": false, `/odd\09`: false,
	}
	if got := mountPoints(table); !maps.Equal(got, want) {
		t.Errorf("mount points = %v, want %v", got, want)
	}
}

// TestMountOver has no event to go by: only the poll sees it.
func TestMountOver(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	b := newBox(t)
	b.write("n/a.conf", "new")
	opt := eventsOnly()
	opt.Slow = 50 * time.Millisecond
	r := receive(t, New(slog.New(slog.DiscardHandler), opt), b.dirs(), b.files())
	b.mount("n", "o")
	r.mustWake()
	b.add("n/a.conf", "2")
	r.mustWake()
	b.must(unix.Unmount(b.at("o"), unix.MNT_DETACH))
	r.mustWake()
}

// TestMountedFile follows a file that is mounted alone: a write on the host is
// seen, a replacement cannot be and is said once.
func TestMountedFile(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	var j journal
	b := newBox(t)
	b.write("host/tls crt", "1")
	b.mount("host/tls crt", "certs/tls.crt")
	r := receive(t, New(j.logger(), eventsOnly()), b.dirs(), b.files())
	b.add("host/tls crt", "2")
	r.mustWake()
	b.write("host/t", "3")
	b.move("host/t", "host/tls crt")
	j.await(t, "mounted path was replaced on the host and cannot be followed", 1)
	b.write("o/a.conf", "woken again")
	r.mustWake()
	if got := j.count("mounted path was replaced"); got != 1 {
		t.Errorf("said %d times", got)
	}
}

func TestMountedDirectoryRemoved(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	var j journal
	b := newBox(t)
	b.write("host/a.conf", "1")
	b.mount("host", "o")
	receive(t, New(j.logger(), eventsOnly()), b.dirs(), b.files())
	b.remove("host")
	j.await(t, "mounted path was replaced on the host and cannot be followed", 1)
}

func (b box) mount(from, to string) {
	b.t.Helper()
	b.must(unix.Mount(b.at(from), b.at(to), "", unix.MS_BIND, ""))
	b.t.Cleanup(func() { _ = unix.Unmount(b.at(to), unix.MNT_DETACH) })
}
