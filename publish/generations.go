package publish

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	genPrefix = "gen-"
	// hidden begins the name of whatever is not complete: it is being written,
	// linked or removed. No reader takes that for a generation.
	hidden = "."
)

// Discard removes a candidate that was refused, never the current generation.
func (s *Store) Discard(dir string) error {
	n, err := s.number(dir)
	if err != nil {
		return fmt.Errorf("discarding: %w", err)
	}
	if current, ok := s.Current(); ok && current == dir {
		return fmt.Errorf("discarding %s: it is the current generation", dir)
	}
	return s.remove(n)
}

// Prune keeps the current generation and the one before it, and removes older
// ones. Newer ones are candidates; Discard is for those.
func (s *Store) Prune() error {
	current, ok := s.Current()
	if !ok {
		return nil
	}
	all, err := s.numbers()
	if err != nil {
		return fmt.Errorf("pruning the generations: %w", err)
	}
	at := slices.IndexFunc(all, func(n int) bool { return s.path(n) == current })
	return s.remove(all[:max(at-1, 0)]...)
}

func (s *Store) clear() error {
	all, err := s.numbers()
	if err != nil {
		return err
	}
	if len(all) > 0 {
		s.last = all[len(all)-1]
	}
	current, _ := s.Current()
	published := slices.IndexFunc(all, func(n int) bool { return s.path(n) == current })
	return errors.Join(s.remove(all[published+1:]...), removeLeftovers(s.Dir, func(name string) bool {
		return strings.HasPrefix(name, hidden+genPrefix) || strings.HasPrefix(name, hidden+currentLink)
	}))
}

// remove hides each generation first: by its own path it is seen complete or
// not at all, even if we are killed on the way.
func (s *Store) remove(numbers ...int) error {
	var errs []error
	for _, n := range numbers {
		gone := s.aside(s.path(n))
		errs = append(errs, os.RemoveAll(gone), os.Rename(s.path(n), gone), os.RemoveAll(gone))
	}
	return errors.Join(errs...)
}

// aside is where a generation is while it is incomplete.
func (s *Store) aside(dir string) string {
	return filepath.Join(s.Dir, hidden+filepath.Base(dir))
}

func (s *Store) path(n int) string {
	return filepath.Join(s.Dir, fmt.Sprintf(genPrefix+"%06d", n))
}

// number refuses a path that is not that of a generation here.
func (s *Store) number(dir string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), genPrefix))
	if err != nil || s.path(n) != dir {
		return 0, fmt.Errorf("%q is not a generation in %s", dir, s.Dir)
	}
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q is not a directory", dir)
	}
	return n, err
}

func (s *Store) numbers() ([]int, error) {
	entries, err := os.ReadDir(s.Dir)
	var all []int
	for _, entry := range entries {
		if n, err := s.number(filepath.Join(s.Dir, entry.Name())); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, err
}

// removeLeftovers removes what is in dir under names that only we give.
func removeLeftovers(dir string, ours func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	errs := []error{err}
	for _, entry := range entries {
		if ours(entry.Name()) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
