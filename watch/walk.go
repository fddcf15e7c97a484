package watch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is where the kernel gives up on a path, too.
const maxLinks = 40

// walk is one path being followed as the kernel would, with a mark at each
// directory for the one entry that decides there.
type walk struct {
	survey *survey
	at     string // free of symbolic links
	todo   []string
	links  int
}

// walk returns where path leads from at, which is free of symbolic links. It is
// not ok where something is missing or goes in a circle; the marks up to there
// tell when that changes.
func (s *survey) walk(at, path string) (real string, mode uint32, ok bool) {
	w := walk{survey: s, at: at, todo: split(path)}
	for len(w.todo) > 0 {
		if !w.step() {
			return "", 0, false
		}
	}
	mode, ok = fileType(w.at)
	return w.at, mode, ok
}

func (w *walk) step() bool {
	name := w.todo[0]
	w.todo = w.todo[1:]
	if name == ".." {
		w.at = filepath.Dir(w.at)
		return true
	}
	next := filepath.Join(w.at, name)
	mode, ok := fileType(next)
	w.expect(name, mode)
	if mode == unix.S_IFLNK {
		return w.enter(next)
	}
	w.at = next
	return ok
}

// expect marks the current directory for name. A last name that is not a
// directory makes it one that holds what is wanted.
func (w *walk) expect(name string, mode uint32) {
	if m := w.survey.mark(w.at); m != nil {
		m.names[name] = true
		m.near = m.near || len(w.todo) == 0 && mode != unix.S_IFDIR
	}
}

// enter puts the target of a link in front of what remains.
func (w *walk) enter(link string) bool {
	target, err := os.Readlink(link)
	if w.links++; err != nil || w.links > maxLinks {
		return false
	}
	if filepath.IsAbs(target) {
		w.at = "/"
	}
	w.todo = append(split(target), w.todo...)
	return true
}

func fileType(path string) (mode uint32, ok bool) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return st.Mode & unix.S_IFMT, err == nil
}

// split keeps "..": behind a link it is not what precedes it in the text.
func split(path string) []string {
	names := strings.Split(path, "/")
	return slices.DeleteFunc(names, func(n string) bool { return n == "" || n == "." })
}
