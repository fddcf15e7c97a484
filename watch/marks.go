package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// marks keeps inotify where the last survey wants it.
type marks struct {
	open func() (*fsnotify.Watcher, error)
	add  func(*fsnotify.Watcher, string) error

	inotify *fsnotify.Watcher // nil while there is none
	held    map[identity]string
	wanted  *survey
}

// set moves the marks to a survey and tells whether there are new ones. After
// an error some are missing.
func (m *marks) set(s *survey) (added bool, err error) {
	m.wanted = s
	if err := m.begin(); err != nil {
		return false, err
	}
	m.drop(s)
	for _, wanted := range s.order {
		if m.held[wanted.id] != "" {
			continue
		}
		one, fault := m.hold(wanted)
		added = added || one
		if isLimit(fault) {
			return added, fault
		}
		err = errors.Join(err, fault)
	}
	return added, err
}

func (m *marks) begin() error {
	if m.inotify != nil {
		return nil
	}
	inotify, err := m.open()
	if err != nil {
		return fmt.Errorf("starting inotify: %w", err)
	}
	m.inotify, m.held = inotify, map[identity]string{}
	return nil
}

// drop removes the marks that have no place in the survey. A mark that fsnotify
// gave up by itself, because its inode was moved or removed, is forgotten, even
// when an inode of the same number is there again.
func (m *marks) drop(s *survey) {
	alive := map[string]bool{}
	for _, path := range m.inotify.WatchList() {
		alive[path] = true
	}
	for id, path := range m.held {
		if wanted := s.marks[id]; wanted != nil && wanted.path == path && alive[path] {
			continue
		}
		// Removed although a new one follows: adding a path again would keep
		// the mark of the old inode in the kernel.
		_ = m.inotify.Remove(path)
		delete(m.held, id)
	}
}

// hold adds one mark. A path that vanished since the survey counts as added, so
// that another survey follows.
func (m *marks) hold(wanted *mark) (added bool, err error) {
	err = m.add(m.inotify, wanted.path)
	switch {
	case err == nil:
		m.held[wanted.id] = wanted.path
		return true, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return true, nil
	case !wanted.near && !isLimit(err):
		// An unreadable directory on the way is replaced rarely enough for
		// the slow poll; an unreadable file is no use to the receiver.
		return false, nil
	}
	return false, fmt.Errorf("watching %q: %w", wanted.path, err)
}

func isLimit(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EMFILE) ||
		errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// concerns reports whether an event is about anything wanted: the marked inode
// itself or an entry that matters in a marked directory.
func (m *marks) concerns(event fsnotify.Event) bool {
	if m.wanted.paths[event.Name] != nil {
		return true
	}
	dir := m.wanted.paths[filepath.Dir(event.Name)]
	return dir != nil && (dir.all || dir.names[filepath.Base(event.Name)])
}

// channels are nil, and block, while there is no inotify.
func (m *marks) channels() (<-chan fsnotify.Event, <-chan error) {
	if m.inotify == nil {
		return nil, nil
	}
	return m.inotify.Events, m.inotify.Errors
}

// close waits for the goroutine of fsnotify.
func (m *marks) close() {
	if m.inotify != nil {
		_ = m.inotify.Close()
		m.inotify = nil
	}
}
