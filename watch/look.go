package watch

import (
	"errors"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// rounds bounds how often a look begins anew because directories moved
// meanwhile. What moves without end is polled.
const rounds = 8

// errRestless means directories were replaced faster than they could be marked.
var errRestless = errors.New("directories keep being replaced")

// look brings the marks up to date and wakes the receiver. In this order: what
// changes before a mark is set is seen by the receiver, what changes after it
// makes an event.
func (w *Watcher) look() {
	w.settle.calm()
	found, err := w.catchUp()
	w.poll.Reset(w.report(found, err))
	poke(w.changed)
}

// catchUp surveys and marks until a survey finds nothing left to mark: an entry
// that appeared between the two is then behind a mark, or was surveyed.
func (w *Watcher) catchUp() (*survey, error) {
	w.mu.Lock()
	wanted := w.wanted
	w.mu.Unlock()
	for round := 1; ; round++ {
		found := newSurvey(wanted)
		added, err := w.marks.set(found)
		switch {
		case err != nil || !added:
			return found, err
		case round == rounds:
			return found, errRestless
		}
	}
}

// report says what hinders the watching and returns the time until the next
// poll.
func (w *Watcher) report(found *survey, err error) time.Duration {
	interval := w.opt.Slow
	if err != nil {
		interval = w.opt.Fast
		w.reportBlind(err)
	}
	for dir, system := range found.deaf(w.deaf) {
		interval = w.opt.Fast
		w.notices.warn("file system does not report changes, polling instead",
			dir, "directory", dir, "file_system", system, "interval", w.opt.Fast)
	}
	for _, mount := range found.replacedMounts() {
		w.notices.warn("mounted path was replaced on the host and cannot be followed",
			mount, "path", mount, "hint", "mount the directory that contains it and restart the container")
	}
	w.notices.turn()
	return interval
}

func (w *Watcher) reportBlind(err error) {
	if errors.Is(err, errRestless) {
		return
	}
	args := []any{"error", err, "interval", w.opt.Fast}
	switch {
	case errors.Is(err, unix.ENOSPC):
		args = append(args, "hint", "raise fs.inotify.max_user_watches on the host")
	case errors.Is(err, unix.EMFILE):
		args = append(args, "hint", "raise fs.inotify.max_user_instances on the host, or the limit of open files")
	}
	w.notices.warn("changes are not reported, polling instead", "", args...)
}

// stumble handles what fsnotify reports beside events.
func (w *Watcher) stumble(err error) {
	w.settle.touch()
	if errors.Is(err, unix.EINVAL) {
		// A marked file was renamed and removed before fsnotify could drop
		// the mark, as editors do with their backups. Nothing is lost.
		return
	}
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		err = errors.New("too many changes at once")
	}
	w.notices.log.Warn("changes were lost, looking at everything again", "error", err)
	// An overflow may have swallowed the end of a mark, too: start over.
	w.marks.close()
}
