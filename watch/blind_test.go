package watch

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

func fastPolls() Options {
	return Options{Quiet: 20 * time.Millisecond, Max: 200 * time.Millisecond, Slow: time.Hour, Fast: 50 * time.Millisecond}
}

// followedThroughBlindness checks the polls while blind, the one line about
// them, and that events take over again.
func followedThroughBlindness(t *testing.T, w *Watcher, j *journal, recover func()) {
	b := newBox(t)
	r := receive(t, w, b.dirs(), b.files())
	for i := range 5 {
		b.write("o/a.conf", fmt.Sprint("blind", i))
		r.mustWake()
	}
	if got := j.count("changes are not reported, polling instead"); got != 1 {
		t.Errorf("%d lines about polling", got)
	}
	recover()
	j.await(t, "watching recovered", 1)
	r.rest()
	b.write("o/a.conf", "by event")
	r.mustWake()
	r.rest()
	r.mustSleep(4 * w.opt.Fast)
}

func TestWithoutInotify(t *testing.T) {
	var j journal
	var available atomic.Bool
	w := New(j.logger(), fastPolls())
	w.marks.open = func() (*fsnotify.Watcher, error) {
		if !available.Load() {
			return nil, fmt.Errorf("too many: %w", unix.EMFILE)
		}
		return fsnotify.NewWatcher()
	}
	followedThroughBlindness(t, w, &j, func() { available.Store(true) })
	j.await(t, "fs.inotify.max_user_instances", 1)
}

func TestWatchLimit(t *testing.T) {
	var j journal
	var unlimited atomic.Bool
	w := New(j.logger(), fastPolls())
	w.marks.add = func(inotify *fsnotify.Watcher, path string) error {
		if !unlimited.Load() && len(inotify.WatchList()) >= 2 {
			return unix.ENOSPC
		}
		return inotify.Add(path)
	}
	followedThroughBlindness(t, w, &j, func() { unlimited.Store(true) })
	j.await(t, "fs.inotify.max_user_watches", 1)
}

// TestRealLimits lets the kernel refuse: a user namespace has limits of its own.
func TestRealLimits(t *testing.T) {
	for _, name := range []string{"max_inotify_instances", "max_inotify_watches"} {
		t.Run(name, func(t *testing.T) {
			limit := "/proc/sys/user/" + name
			if !inNamespace(t, syscall.CLONE_NEWUSER) {
				return
			}
			old, err := os.ReadFile(limit)
			if err == nil {
				err = os.WriteFile(limit, []byte("0"), 0)
			}
			if err != nil {
				t.Skip("the limit cannot be set here:", err)
			}
			var j journal
			followedThroughBlindness(t, New(j.logger(), fastPolls()), &j, func() {
				box{t, ""}.must(os.WriteFile(limit, old, 0))
			})
		})
	}
}

func TestUnreadableDirectory(t *testing.T) {
	var j journal
	w := New(j.logger(), fastPolls())
	b := newBox(t)
	w.marks.add = func(inotify *fsnotify.Watcher, path string) error {
		if path == b.at("o") || path == "/" {
			return unix.EACCES
		}
		return inotify.Add(path)
	}
	r := receive(t, w, b.dirs(), b.files())
	b.write("o/b.conf", "new")
	r.mustWake()
	j.await(t, "permission denied", 1)
	if j.count(`"/\"`) > 0 {
		t.Error("complained about a directory that is only on the way")
	}
}

func TestSilentFileSystem(t *testing.T) {
	var j journal
	var silent atomic.Bool
	silent.Store(true)
	w := New(j.logger(), fastPolls())
	b := newBox(t)
	w.silent = func(dir string) string {
		if silent.Load() && strings.HasPrefix(dir, b.at("")) {
			return "nfs"
		}
		return ""
	}
	r := receive(t, w, b.dirs(), b.files())
	for range 5 {
		r.mustWake()
	}
	j.await(t, "file system does not report changes, polling instead", 1)
	j.await(t, "file_system=nfs", 1)
	silent.Store(false)
	j.await(t, "watching recovered", 1)
	r.rest()
	r.mustSleep(4 * w.opt.Fast)
	if got := j.count("polling instead\" directory"); got != 1 {
		t.Errorf("%d lines about polling", got)
	}
}

// TestSilentFileSystemOnce tells of a file system once, whichever directory of it comes first.
func TestSilentFileSystemOnce(t *testing.T) {
	var j journal
	w := New(j.logger(), fastPolls())
	b := newBox(t)
	w.silent = func(string) string { return "nfs" }
	for _, dir := range []string{"a", "b"} {
		b.write(dir+"/x.conf", "x")
		w.report(newSurvey(paths{dirs: []string{b.at(dir)}}), nil)
	}
	j.await(t, "file system does not report changes, polling instead", 1)
	if got := j.count("watching recovered"); got != 0 {
		t.Errorf("%d lines about recovery", got)
	}
}

func TestSilentNames(t *testing.T) {
	for magic, want := range map[uint32]string{
		0x6969: "nfs", 0x517b: "smb", 0xff534d42: "smb", 0xfe534d42: "smb", 0x65735546: "fuse or virtiofs",
		0x01021997: "9p", 0x00c36400: "ceph", 0x5346414f: "afs", 0x7461636f: "ocfs2", 0x786f4256: "vboxsf",
		0xef53: "", 0x01021994: "", 0x794c7630: "", 0x9123683e: "", 0x58465342: "", // ext4, tmpfs, overlay, btrfs, xfs
	} {
		if got := silentName(magic); got != want {
			t.Errorf("%#x is %q, want %q", magic, got, want)
		}
	}
	if got := silentFileSystem("/absent"); got != "" {
		t.Errorf("a missing directory is on %q", got)
	}
}

func TestSlowPoll(t *testing.T) {
	opt := eventsOnly()
	opt.Slow = 50 * time.Millisecond
	b := newBox(t)
	r := receive(t, New(slog.New(slog.DiscardHandler), opt), b.dirs(), b.files())
	for range 3 {
		r.mustWake()
	}
}
