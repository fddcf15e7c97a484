package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxEntries bounds the files of one directory that get a mark of their own;
	// the others are seen through the mark of the directory.
	maxEntries = 1024
	// maxLinks is where the kernel gives up on a path, too.
	maxLinks = 40
)

// survey is where the wanted paths lead at one moment: everything that must be
// marked to learn when they lead elsewhere or hold something else.
type survey struct {
	order []*mark
	marks map[identity]*mark
	paths map[string]*mark
}

// identity outlives a rename; a directory put in the place of another has a new
// one.
type identity struct{ dev, ino uint64 }

// mark is an inode to be told about.
type mark struct {
	id    identity
	links uint64
	path  string          // free of symbolic links
	near  bool            // a directory that holds what is wanted, not just the way to it
	all   bool            // every entry matters,
	names map[string]bool // or only these
}

func newSurvey(wanted paths) *survey {
	s := &survey{marks: map[identity]*mark{}, paths: map[string]*mark{}}
	for _, dir := range wanted.dirs {
		s.addDir(dir)
	}
	for _, file := range wanted.files {
		s.addFile("/", file)
	}
	return s
}

func (s *survey) addDir(path string) {
	real, mode, ok := s.walk("/", path)
	if !ok || mode != unix.S_IFDIR {
		return
	}
	m := s.mark(real)
	if m == nil {
		return
	}
	m.all, m.near = true, true
	for _, e := range readDir(real) {
		if e.Type().IsRegular() || e.Type() == fs.ModeSymlink {
			s.addFile(real, e.Name())
		}
	}
}

// addFile marks the file beside its directory: a write through a hard link, or
// on the host to a file that is mounted alone, is no event of the directory.
func (s *survey) addFile(at, path string) {
	real, mode, ok := s.walk(at, path)
	if ok && mode == unix.S_IFREG {
		s.mark(real)
	}
}

// mark returns the mark of a path free of symbolic links, or nil when nothing
// is there. One inode has one mark, whatever number of paths lead to it.
func (s *survey) mark(path string) *mark {
	if m := s.paths[path]; m != nil {
		return m
	}
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return nil
	}
	id := identity{st.Dev, st.Ino}
	m := s.marks[id]
	if m == nil {
		m = &mark{id: id, links: uint64(st.Nlink), path: path, names: map[string]bool{}}
		s.marks[id] = m
		s.order = append(s.order, m)
	}
	s.paths[path] = m
	return m
}

// readDir takes what it can get: an unreadable directory is for the receiver to
// complain about.
func readDir(path string) []fs.DirEntry {
	d, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = d.Close() }()
	entries, _ := d.ReadDir(maxEntries)
	return entries
}

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
