package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// reader reads the generation in force over and over.
type reader struct {
	dir                     string
	complete, outpaced, bad int
	last                    string
}

// TestReaderNeverSeesAMixture publishes hundreds of generations under the eyes
// of readers. One who is outpaced by two generations finds its own gone, but
// never a part of it.
func TestReaderNeverSeesAMixture(t *testing.T) {
	s := opened(t, t.TempDir())
	published(t, s, sample("0"))
	stop := make(chan struct{})
	readers := []*reader{{dir: s.Dir}, {dir: s.Dir}}
	var reading sync.WaitGroup
	for _, r := range readers {
		reading.Go(func() { r.readUntil(stop) })
	}
	for i := range 300 {
		published(t, s, sample(fmt.Sprint(i)))
		if err := s.Prune(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	reading.Wait()
	for _, r := range readers {
		if r.bad > 0 || r.complete == 0 {
			t.Errorf("%d complete readings, %d bad, such as: %s", r.complete, r.bad, r.last)
		}
		t.Logf("%d complete readings, %d outpaced", r.complete, r.outpaced)
	}
}

func (r *reader) readUntil(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			r.count(readOnce(r.dir))
		}
	}
}

func (r *reader) count(dir string, err error) {
	_, gone := os.Lstat(dir)
	switch {
	case err == nil:
		r.complete++
	case errors.Is(err, fs.ErrNotExist) && errors.Is(gone, fs.ErrNotExist):
		r.outpaced++
	default:
		r.bad++
		r.last = err.Error()
	}
}

func readOnce(store string) (dir string, err error) {
	target, err := os.Readlink(filepath.Join(store, currentLink))
	if err != nil {
		return store, err
	}
	dir = filepath.Join(store, target)
	var mark string
	for _, f := range sample("") {
		data, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil {
			return dir, err
		}
		found := strings.TrimSuffix(string(data), string(f.Data))
		if mark == "" {
			mark = found
		}
		if found != mark || found == string(data) {
			return dir, fmt.Errorf("%s holds %q, others are of %s", f.Name, data, mark)
		}
	}
	return dir, nil
}
