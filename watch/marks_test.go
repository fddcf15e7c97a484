package watch

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// TestOverflow starts over where events were lost, and only there.
func TestOverflow(t *testing.T) {
	var j journal
	var inotify atomic.Pointer[fsnotify.Watcher]
	w := New(j.logger(), eventsOnly())
	w.marks.open = func() (*fsnotify.Watcher, error) {
		next, err := fsnotify.NewWatcher()
		inotify.Store(next)
		return next, err
	}
	b := newBox(t)
	r := receive(t, w, b.dirs(), b.files())
	for _, c := range []struct {
		err  error
		lost bool
	}{{fsnotify.ErrEventOverflow, true}, {unix.EIO, true}, {unix.EINVAL, false}} {
		r.rest()
		before := inotify.Load()
		before.Errors <- c.err
		r.mustWake()
		if lost := inotify.Load() != before; lost != c.lost {
			t.Errorf("%v: started over = %v", c.err, lost)
		}
		r.rest()
		b.add("o/a.conf", "more")
		r.mustWake()
	}
	if got := j.count("changes were lost, looking at everything again"); got != 2 {
		t.Errorf("%d lines, want none for EINVAL", got)
	}
}

// TestMarksDoNotPileUp replaces a file whose old inode lives on under another
// name.
func TestMarksDoNotPileUp(t *testing.T) {
	b := newBox(t)
	b.mkdir("far")
	r := receive(t, New(slog.New(slog.DiscardHandler), eventsOnly()), b.dirs(), b.files())
	r.rest()
	before := kernelMarks(t)
	for _, name := range strings.Split("abcdefghij", "") {
		b.hard("o/a.conf", "far/"+name)
		b.write("o/t", name)
		b.move("o/t", "o/a.conf")
		r.mustWake()
		r.rest()
	}
	if got := kernelMarks(t); got > before {
		t.Errorf("%d marks in the kernel, %d before", got, before)
	}
}

func kernelMarks(t *testing.T) (n int) {
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file)
		n += strings.Count(string(text), "inotify wd:")
	}
	return n
}

func TestConcerns(t *testing.T) {
	s := &survey{paths: map[string]*mark{
		"/":             {names: map[string]bool{"overrides": true}},
		"/overrides":    {all: true},
		"/certs":        {names: map[string]bool{"tls.crt": true}},
		"/far/tls.real": {},
	}}
	m := marks{wanted: s}
	for name, want := range map[string]bool{
		"//overrides": true, "//tmp": false, "/": true, "/overrides": true, "/overrides/x": true,
		"/overrides/x/y": false, "/certs/tls.crt": true, "/certs/tls.key": false, "/far/tls.real": true, "/far/x": false,
	} {
		if got := m.concerns(fsnotify.Event{Name: name}); got != want {
			t.Errorf("concerns(%q) = %v", name, got)
		}
	}
}
