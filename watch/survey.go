package watch

import (
	"io/fs"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// maxEntries bounds the files of one directory that get a mark of their own;
// the others are seen through the mark of the directory.
const maxEntries = 1024

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

// deaf lists the directories on file systems that report nothing, the first of
// each file system.
func (s *survey) deaf(test func(dir string) string) iter.Seq2[string, string] {
	return func(yield func(dir, system string) bool) {
		seen := map[uint64]bool{}
		for _, m := range s.order {
			if !m.near || seen[m.id.dev] {
				continue
			}
			seen[m.id.dev] = true
			if system := test(m.path); system != "" && !yield(m.path, system) {
				return
			}
		}
	}
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
