package lint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// walk looks for files from / on, as fs.Glob asks it to, until it has read too many names: a
// pattern such as /*/*/*/* would read the whole disk.
type walk struct{ entries int }

var errTooMany = errors.New("too many entries")

// Glob are the files that match a pattern, as far as they were found before there was too much
// to look through.
func Glob(pattern string) []string { return new(walk).glob(pattern) }

// glob is filepath.Glob for a path from / on.
func (w *walk) glob(pattern string) []string {
	found, _ := fs.Glob(w, strings.TrimPrefix(filepath.Clean(pattern), "/"))
	for i := range found {
		found[i] = "/" + found[i]
	}
	return found
}

func (w *walk) over() bool { return w.entries > maxEntries }

func (w *walk) Open(name string) (fs.File, error) { return os.Open("/" + name) }

func (w *walk) Stat(name string) (fs.FileInfo, error) { return os.Lstat("/" + name) }

func (w *walk) ReadDir(name string) ([]fs.DirEntry, error) {
	if w.entries++; w.over() {
		return nil, errTooMany
	}
	info, err := os.Stat("/" + name)
	if err != nil || !info.IsDir() { // a FIFO would not open
		return nil, err
	}
	dir, err := os.Open("/" + name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	found, err := dir.ReadDir(maxEntries + 1 - w.entries)
	w.entries += len(found)
	slices.SortFunc(found, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return found, err
}
