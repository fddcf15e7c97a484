package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// eventsOnly leaves the polls out, so that only events can wake.
func eventsOnly() Options {
	return Options{Quiet: 10 * time.Millisecond, Max: 200 * time.Millisecond, Slow: time.Hour, Fast: time.Hour}
}

// receiver stands for what uses a Watcher: it looks at the files when it is
// woken, and only then.
type receiver struct {
	t           *testing.T
	dirs, files []string
	watcher     *Watcher
	seen        string
	wakes       int
}

// receive starts a Watcher and takes its first wake-up.
func receive(t *testing.T, w *Watcher, dirs, files []string) *receiver {
	t.Helper()
	r := &receiver{t: t, dirs: dirs, files: files, watcher: w}
	w.Watch(dirs, files)
	run(t, w)
	r.mustWake()
	return r
}

func run(t *testing.T, w *Watcher) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// mustWake waits for a wake-up after which the receiver has seen the truth.
func (r *receiver) mustWake() {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case <-r.watcher.Changed():
			r.wakes++
			r.seen = r.truth()
		case <-deadline:
			r.t.Fatalf("not woken after the last change\nseen:\n%s\ntruth:\n%s", r.seen, r.truth())
		}
		if r.seen == r.truth() {
			return
		}
	}
}

func (r *receiver) mustSleep(d time.Duration) {
	r.t.Helper()
	select {
	case <-r.watcher.Changed():
		r.t.Fatal("woken for nothing")
	case <-time.After(d):
	}
}

// rest takes what still comes of earlier changes, lest it pass for the effect
// of the next one.
func (r *receiver) rest() {
	for {
		select {
		case <-r.watcher.Changed():
		case <-time.After(3 * r.watcher.opt.Quiet):
			return
		}
	}
}

// truth is what the followed paths hold right now.
func (r *receiver) truth() string {
	var b strings.Builder
	for _, dir := range r.dirs {
		entries, err := os.ReadDir(dir)
		fmt.Fprintf(&b, "%s %v\n", dir, err != nil)
		for _, e := range entries {
			content(&b, filepath.Join(dir, e.Name()))
		}
	}
	for _, file := range r.files {
		content(&b, file)
	}
	return b.String()
}

func content(b *strings.Builder, path string) {
	data, err := os.ReadFile(path)
	fmt.Fprintf(b, "%q %q %v\n", path, data, err != nil)
}

func TestScenarios(t *testing.T) {
	for _, c := range scenarios() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if c.setup != nil {
				c.setup(b)
			}
			r := receive(t, New(slog.New(slog.DiscardHandler), eventsOnly()), b.dirs(), b.files())
			for _, change := range c.changes {
				r.rest()
				change(b)
				if c.quiet {
					r.mustSleep(100 * time.Millisecond)
				} else {
					r.mustWake()
				}
			}
		})
	}
}

func TestIdle(t *testing.T) {
	b := newBox(t)
	r := receive(t, New(slog.New(slog.DiscardHandler), eventsOnly()), b.dirs(), b.files())
	r.rest()
	r.watcher.Watch(b.dirs(), b.files())
	r.mustSleep(300 * time.Millisecond)
}

func TestManyFilesFewWakes(t *testing.T) {
	b := newBox(t)
	r := receive(t, New(slog.New(slog.DiscardHandler), eventsOnly()), b.dirs(), b.files())
	for i := range 200 {
		b.write(fmt.Sprintf("o/%d.conf", i), "x")
	}
	begin := r.wakes
	r.mustWake()
	if got := r.wakes - begin; got > 3 {
		t.Errorf("%d wake-ups", got)
	}
}

// TestContinuousWriting counts the wake-ups while a writer never pauses: one
// for each Max.
func TestContinuousWriting(t *testing.T) {
	b := newBox(t)
	opt := eventsOnly()
	opt.Quiet = 100 * time.Millisecond
	r := receive(t, New(slog.New(slog.DiscardHandler), opt), b.dirs(), b.files())
	begin, wakes := time.Now(), 0
	for i := 0; time.Since(begin) < time.Second; i++ {
		b.write("o/a.conf", fmt.Sprint(i))
		select {
		case <-r.watcher.Changed():
			wakes++
		default:
		}
	}
	if wakes < 2 || wakes > 6 {
		t.Errorf("%d wake-ups in a second, want about 5", wakes)
	}
	r.mustWake()
}

func TestAnotherSet(t *testing.T) {
	b := newBox(t)
	b.write("elsewhere/b.conf", "1")
	r := receive(t, New(slog.New(slog.DiscardHandler), eventsOnly()), b.dirs(), b.files())
	r.rest()
	r.dirs, r.files = []string{b.at("elsewhere")}, nil
	r.watcher.Watch(r.dirs, r.files)
	r.mustWake()
	r.rest()
	b.write("elsewhere/b.conf", "2")
	r.mustWake()
	r.rest()
	b.write("o/a.conf", "unseen")
	r.mustSleep(100 * time.Millisecond)
}

func TestDefaults(t *testing.T) {
	want := Options{100 * time.Millisecond, 2 * time.Second, 30 * time.Second, time.Second}
	if got := New(slog.New(slog.DiscardHandler), Options{}).opt; got != want {
		t.Errorf("defaults = %v", got)
	}
}
