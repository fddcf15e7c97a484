// Package watch reports that files may have changed. It follows directories and files
// through every symbolic link on their way, survives their replacement, and polls where the
// kernel reports nothing. It may report a change that is none, so its caller compares bytes.
// Errors are logged, and never end the watching.
package watch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// rounds bounds how often a look begins anew because directories moved
// meanwhile. What moves without end is polled.
const rounds = 8

// errMoving means that directories were replaced faster than they could be marked.
var errMoving = errors.New("directories keep being replaced")

// Options are the times of a Watcher. A zero value stands for the default.
type Options struct {
	Quiet time.Duration // 100 ms without events settle a change
	Max   time.Duration // 2 s of events are reported even without quiet
	Slow  time.Duration // 30 s between polls where inotify works
	Fast  time.Duration // 1 s between polls where it does not
}

// A Watcher follows a set of paths. [Watcher.Run] does the work; the other
// methods may be called at any time and from any goroutine.
type Watcher struct {
	opt     Options
	changed chan struct{}
	renewed chan struct{}

	mu     sync.Mutex
	wanted paths
	other  bool // since the last look they are other ones

	// The rest belongs to Run.
	notices notices
	marks   marks
	settle  settle
	poll    *time.Timer
	silent  func(dir string) string
}

// paths is what [Watcher.Watch] was asked to follow.
type paths struct{ dirs, files []string }

// New makes a Watcher that follows nothing yet.
func New(log *slog.Logger, opt Options) *Watcher {
	opt = Options{
		Quiet: cmp.Or(opt.Quiet, 100*time.Millisecond),
		Max:   cmp.Or(opt.Max, 2*time.Second),
		Slow:  cmp.Or(opt.Slow, 30*time.Second),
		Fast:  cmp.Or(opt.Fast, time.Second),
	}
	return &Watcher{
		opt:     opt,
		changed: make(chan struct{}, 1),
		renewed: make(chan struct{}, 1),
		notices: notices{log: log},
		marks:   marks{open: fsnotify.NewWatcher, add: (*fsnotify.Watcher).Add},
		settle:  settle{quiet: opt.Quiet, max: opt.Max},
		silent:  silentFileSystem,
	}
}

// Watch replaces the set of directories and files that are followed. The paths
// need not exist. A receiver may call it each time that it has read them: another
// set is followed by a wake-up, because files may have changed before they were
// followed, and the same one if it leads elsewhere by now.
func (w *Watcher) Watch(dirs, files []string) {
	next := paths{absolute(dirs), absolute(files)}
	w.mu.Lock()
	if !slices.Equal(next.dirs, w.wanted.dirs) || !slices.Equal(next.files, w.wanted.files) {
		w.wanted, w.other = next, true
	}
	w.mu.Unlock()
	notify(w.renewed)
}

// Changed receives after events have settled, at each poll, and once when Run
// begins. Wake-ups that nobody took are merged into one.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Run follows the files until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	w.poll = time.NewTimer(w.opt.Slow)
	defer w.poll.Stop()
	defer w.marks.close()
	w.look()
	for w.step(ctx) {
	}
}

func (w *Watcher) step(ctx context.Context) bool {
	events, errs := w.marks.channels()
	select {
	case <-ctx.Done():
		return false
	case event := <-events:
		if w.marks.concerns(event) {
			w.settle.touch()
		}
	case err := <-errs:
		w.startOver(err)
	case <-w.settle.due:
		w.look()
	case <-w.renewed:
		if w.elsewhere() {
			w.look()
		}
	case <-w.poll.C:
		w.look()
	}
	return true
}

// look brings the marks up to date and wakes the receiver. In this order: what
// changes before a mark is set is seen by the receiver, what changes after it
// makes an event.
func (w *Watcher) look() {
	w.settle.clear()
	found, err := w.catchUp()
	w.poll.Reset(w.report(found, err))
	notify(w.changed)
}

// elsewhere reports whether there are other paths to follow, or marks that are not where
// the paths lead: a mount in the place of a directory makes no event.
func (w *Watcher) elsewhere() bool {
	w.mu.Lock()
	wanted, other := w.wanted, w.other
	w.mu.Unlock()
	if other {
		return true
	}
	now := newSurvey(wanted).paths
	for path, before := range w.marks.wanted.paths {
		if m := now[path]; m != nil && m.id != before.id {
			return true
		}
	}
	return false
}

// catchUp surveys and marks until a survey finds nothing left to mark: an entry
// that appeared between the two is then behind a mark, or was surveyed.
func (w *Watcher) catchUp() (*survey, error) {
	w.mu.Lock()
	wanted := w.wanted
	w.other = false
	w.mu.Unlock()
	for round := 1; ; round++ {
		found := newSurvey(wanted)
		added, err := w.marks.set(found)
		switch {
		case err != nil || !added:
			return found, err
		case round == rounds:
			return found, errMoving
		}
	}
}

func absolute(list []string) []string {
	clean := make([]string, 0, len(list))
	for _, path := range list {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		clean = append(clean, path)
	}
	slices.Sort(clean)
	return slices.Compact(clean)
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// settle turns a burst of events into one moment: when they pause, or when they
// have lasted too long.
type settle struct {
	quiet, max time.Duration
	latest     time.Time        // zero while no event is pending
	due        <-chan time.Time // nil likewise; clear must follow
}

func (s *settle) touch() {
	now := time.Now()
	if s.latest.IsZero() {
		s.latest = now.Add(s.max)
	}
	s.due = time.After(min(s.quiet, s.latest.Sub(now)))
}

func (s *settle) clear() { s.latest, s.due = time.Time{}, nil }
