package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"pidgeon/settings"
)

// prepare makes the directories and takes the lock on the run directory, which
// the returned file holds.
func prepare(s settings.Settings, id identity) (lock *os.File, err error) {
	for _, dir := range []string{string(s.RunDir), string(s.StateDir), dovecotState(s)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making a directory: %w", err)
		}
	}
	if err := prepareMail(string(s.MailDir), id.mailUID(s), id.mailGID(s)); err != nil {
		return nil, err
	}
	return lockRun(string(s.RunDir))
}

// prepareMail makes the mail directory. Root gives an empty one to the owner of
// all mail; one that holds something already is left as it is.
func prepareMail(dir string, uid, gid int) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("making MAIL_DIR: %w", err)
	}
	if os.Geteuid() != 0 {
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("using MAIL_DIR %s as user %d: %w: mount a directory that this user may write to", dir, uid, err)
		}
		return nil
	}
	if used, err := inUse(dir, uid); used || err != nil {
		return err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return fmt.Errorf("giving MAIL_DIR to %d:%d: %w", uid, gid, err)
	}
	return nil
}

// inUse reports whether a mail directory holds something, or is its owner's.
func inUse(dir string, uid int) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, fmt.Errorf("opening MAIL_DIR: %w", err)
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return false, fmt.Errorf("looking at MAIL_DIR: %w", err)
	}
	_, err = d.Readdirnames(1)
	return !errors.Is(err, io.EOF) || info.Sys().(*syscall.Stat_t).Uid == uint32(uid), nil
}

// lockRun keeps a second entrypoint out: the two would swap each other's
// generations. It also clears what a killed container left behind: the PID in
// master.pid may be somebody else's by now, and Dovecot would refuse to start.
func lockRun(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of RUN_DIR: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("locking %s: another pidgeon runs there: give each its own RUN_DIR", dir)
	}
	if err := os.Remove(filepath.Join(dir, "dovecot", "master.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a stale PID file: %w", err)
	}
	return lock, nil
}
