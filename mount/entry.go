package mount

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// entry is one name in a directory that is held open.
type entry struct {
	dir  *os.File
	name string
}

// load returns the content of a regular file, or why there is none.
func (e entry) load() ([]byte, error) {
	if err := e.mustBeFile(); err != nil {
		return nil, err
	}
	if err := nameFault(e.name); err != nil {
		return nil, err
	}
	f, err := openAt(e.dir, e.name, 0)
	if err != nil {
		return nil, e.explain(err)
	}
	defer func() { _ = f.Close() }()
	return readAll(f)
}

// readAll looks again at what was opened: the entry may have been exchanged
// since it was examined.
func readAll(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it was replaced while being read", ErrUnstable)
	}
	// Not info.Size() alone: a file may grow, and those in /proc have no size.
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, cause(err)
	}
	if size := max(info.Size(), int64(len(data))); size > maxFile {
		return nil, fmt.Errorf("%d bytes are more than an override may have (%d)", size, maxFile)
	}
	return data, nil
}

func (e entry) mustBeFile() error {
	mode, err := e.mode(0)
	if err != nil {
		return e.explain(err)
	}
	if mode != unix.S_IFREG {
		return harmless(kind(mode))
	}
	return nil
}

func (e entry) mustBeDir() error {
	mode, err := e.mode(0)
	if err != nil {
		return e.explain(err)
	}
	if mode != unix.S_IFDIR {
		return harmless(TemplatesDir + " is not a directory")
	}
	return nil
}

// strange is the reason given for an entry whose name says nothing to us.
func (e entry) strange() string {
	mode, err := e.mode(0)
	if err != nil {
		return e.explain(err).Error()
	}
	if mode != unix.S_IFREG {
		return kind(mode)
	}
	return "not *.conf, *.conf.tmpl or templates/"
}

// mode is the type of the entry, behind symbolic links unless flags say other.
func (e entry) mode(flags int) (uint32, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(int(e.dir.Fd()), e.name, &st, flags) })
	return st.Mode & unix.S_IFMT, err
}

// explain tells a link without target from a file that was just removed.
func (e entry) explain(err error) error {
	switch err {
	case unix.ELOOP:
		return errors.New("symbolic links that lead in a circle")
	case unix.ENOENT, unix.ENOTDIR:
		if mode, _ := e.mode(unix.AT_SYMLINK_NOFOLLOW); mode == unix.S_IFLNK {
			return errors.New("symbolic link to nothing")
		}
		return fmt.Errorf("%w: it vanished while being read", ErrUnstable)
	}
	return err
}

func kind(mode uint32) string {
	switch mode {
	case unix.S_IFDIR:
		return "directory, only templates/ is read"
	case unix.S_IFIFO:
		return "FIFO, not a regular file"
	case unix.S_IFSOCK:
		return "socket, not a regular file"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "device, not a regular file"
	}
	return "not a regular file"
}
