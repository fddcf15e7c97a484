package mount

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrUnstable means the mount changed while it was read; a later reading may
// succeed.
var ErrUnstable = errors.New("it keeps changing")

// A writer that is halfway through a file must move on between two readings
// for them to differ.
const (
	pause = 50 * time.Millisecond
	tries = 40
)

// ReadStable reads dir until two readings agree, faults included. When they
// never do it returns the last one and an error that wraps [ErrUnstable].
func ReadStable(ctx context.Context, dir string) (Tree, error) {
	last := take(dir)
	for range tries {
		if err := rest(ctx); err != nil {
			return last.tree, fmt.Errorf("reading overrides %q: %w", dir, err)
		}
		next := take(dir)
		if next.agrees(last) {
			return next.tree, next.err
		}
		last = next
	}
	return last.tree, errors.Join(fmt.Errorf("reading overrides %q: %w", dir, ErrUnstable), last.err)
}

type outcome struct {
	tree Tree
	err  error
}

func take(dir string) outcome {
	tree, err := Read(dir)
	return outcome{tree, err}
}

func (o outcome) agrees(other outcome) bool {
	return !errors.Is(o.err, ErrUnstable) &&
		fmt.Sprint(o.err) == fmt.Sprint(other.err) &&
		slices.Equal(o.tree.Ignored, other.tree.Ignored) &&
		o.tree.Digest() == other.tree.Digest()
}

func rest(ctx context.Context) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
