// Package watch tells that files may have changed. It follows directories and
// files through every symbolic link on their way, survives their replacement,
// and polls where the kernel reports nothing. It may cry wolf: whoever listens
// compares bytes. What the files are for, and what a change leads to, is not
// known here; whatever goes wrong here is logged and never ends the watching.
package watch

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options are the times of a Watcher. A zero value stands for the default.
type Options struct {
	Quiet time.Duration // 100 ms without events settle a change
	Max   time.Duration // 2 s of events are reported even without quiet
	Slow  time.Duration // 30 s between polls where inotify works
	Fast  time.Duration // 1 s between polls where it does not
}

func (o Options) orDefaults() Options {
	return Options{
		Quiet: cmp.Or(o.Quiet, 100*time.Millisecond),
		Max:   cmp.Or(o.Max, 2*time.Second),
		Slow:  cmp.Or(o.Slow, 30*time.Second),
		Fast:  cmp.Or(o.Fast, time.Second),
	}
}

// A Watcher follows a set of paths. [Watcher.Run] does the work; the other
// methods may be called at any time and from any goroutine.
type Watcher struct {
	opt     Options
	changed chan struct{}
	renewed chan struct{}

	mu     sync.Mutex
	wanted paths

	// The rest belongs to Run.
	notices notices
	marks   marks
	settle  settle
	poll    *time.Timer
	deaf    func(dir string) string
}

// paths is what [Watcher.Watch] was asked to follow.
type paths struct{ dirs, files []string }

// New makes a Watcher that follows nothing yet.
func New(log *slog.Logger, opt Options) *Watcher {
	opt = opt.orDefaults()
	return &Watcher{
		opt:     opt,
		changed: make(chan struct{}, 1),
		renewed: make(chan struct{}, 1),
		notices: notices{log: log},
		marks:   marks{open: openInotify, add: addInotify},
		settle:  settle{quiet: opt.Quiet, max: opt.Max},
		deaf:    deafFileSystem,
	}
}

// Watch replaces the set of directories and files that are followed. The paths
// need not exist. Asking for the same set again does nothing, so a receiver may
// call it after each change; another set is followed by a wake-up, because
// files may have changed before they were followed.
func (w *Watcher) Watch(dirs, files []string) {
	next := paths{absolute(dirs), absolute(files)}
	w.mu.Lock()
	same := slices.Equal(next.dirs, w.wanted.dirs) && slices.Equal(next.files, w.wanted.files)
	w.wanted = next
	w.mu.Unlock()
	if !same {
		poke(w.renewed)
	}
}

// Changed receives after events have settled, at each poll, and once when Run
// begins. Wake-ups that nobody took are merged into one.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Run follows the files until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	w.poll = time.NewTimer(w.opt.Slow)
	defer w.poll.Stop()
	defer w.settle.calm()
	defer w.marks.close()
	poke(w.renewed)
	for w.step(ctx) {
	}
}

func (w *Watcher) step(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case event := <-w.marks.events():
		if w.marks.concern(event) {
			w.settle.touch()
		}
	case err := <-w.marks.errors():
		w.stumble(err)
	case <-w.settle.due():
		w.look()
	case <-w.renewed:
		w.look()
	case <-w.poll.C:
		w.look()
	}
	return true
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

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
