package mount

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

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
