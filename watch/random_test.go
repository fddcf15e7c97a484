package watch

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRandomChanges moves, replaces, links and writes at random among the
// followed paths. Whatever comes of it, the receiver must have seen the last
// state once it is woken no more.
func TestRandomChanges(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := newBox(t)
	r := receive(t, New(slog.New(slog.DiscardHandler), eventsOnly()), b.dirs(), b.files())
	chance := chance{rand.New(rand.NewPCG(seed, 0)), b.dir}
	var last []string
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		last = last[:0]
		for range 1 + chance.IntN(6) {
			last = append(last, chance.strike())
		}
		if !r.converges() {
			t.Fatalf("after %q seen:\n%s\ntruth:\n%s", last, r.seen, r.truth())
		}
	}
}

// converges waits until the receiver has seen the truth; no wake-up is needed
// where nothing changed.
func (r *receiver) converges() bool {
	deadline := time.After(patience)
	for r.seen != r.truth() {
		select {
		case <-r.watcher.Changed():
			r.seen = r.truth()
		case <-deadline:
			return false
		}
	}
	return true
}

type chance struct {
	*rand.Rand
	dir string
}

func (c chance) path() string {
	names := []string{
		"o", "o/a.conf", "o/b.conf", "o/templates", "o/templates/t", "certs", "certs/tls.crt",
		"secrets", "secrets/db", "secrets/db/password", "x", "x/a.conf", "x/t", "x/tls.crt", "y", "y/templates",
	}
	return filepath.Join(c.dir, names[c.IntN(len(names))])
}

// strike does one thing that may well fail: many of the paths do not exist.
func (c chance) strike() string {
	p, q := c.path(), c.path()
	switch c.IntN(8) {
	case 0:
		return fmt.Sprint("remove ", p, os.RemoveAll(p))
	case 1, 2:
		return fmt.Sprint("move ", p, q, os.Rename(p, q))
	case 3:
		return fmt.Sprint("link ", q, " to ", p, os.Symlink(p, q))
	case 4:
		return fmt.Sprint("hard link ", q, " to ", p, os.Link(p, q))
	case 5:
		return fmt.Sprint("make ", p, os.MkdirAll(p, 0o755))
	default:
		_ = os.MkdirAll(filepath.Dir(p), 0o755)
		return fmt.Sprint("write ", p, os.WriteFile(p, fmt.Append(nil, c.Uint32()), 0o644))
	}
}
