package mount

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// entry is one name in a directory that is held open.
type entry struct {
	dir  *os.File
	name string
}

// load returns the content of a regular file, or why there is none.
func (e entry) load() ([]byte, error) {
	if err := e.mustBe(unix.S_IFREG); err != nil {
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

// mustBe is no error for an entry of the wanted type.
func (e entry) mustBe(wanted uint32) error {
	mode, err := e.mode(0)
	switch {
	case err != nil:
		return e.explain(err)
	case mode == wanted:
		return nil
	case wanted == unix.S_IFDIR:
		return harmless(TemplatesDir + " is not a directory")
	}
	return harmless(kind(mode))
}

// ignoreReason is why an entry has no effect whose name says nothing to us.
func (e entry) ignoreReason() string {
	if err := e.mustBe(unix.S_IFREG); err != nil {
		return err.Error()
	}
	const reason = "not *.conf, *.conf.tmpl or templates/"
	if stem, ok := strings.CutSuffix(e.name, ".cf"); ok { // as docker-mailserver has them
		return reason + ": rename it to " + stem + ".conf if it is Dovecot configuration"
	}
	return reason
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

// openAt opens name below at, or anywhere when at is nil. os.Root would refuse
// the links out of the mount that operators rightly use. O_NONBLOCK and
// O_NOCTTY matter when the entry becomes a FIFO or a terminal under our hands.
func openAt(at *os.File, name string, flags int) (*os.File, error) {
	flags |= unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(number(at), name, flags, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func readLink(at *os.File, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(number(at), name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func number(at *os.File) int {
	if at == nil {
		return unix.AT_FDCWD
	}
	return int(at.Fd())
}

// retry repeats what a signal interrupted; network file systems do return EINTR.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// cause drops the short name the os package knows an open file by; the
// sentence around it names the path the operator knows.
func cause(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
