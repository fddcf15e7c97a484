package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pidgeon/finding"
	"pidgeon/settings"
)

// MakeDirectories makes RUN_DIR and STATE_DIR, and finds all at once which of them cannot
// be written: in an image that knows nothing of them neither is there.
func MakeDirectories(s settings.Settings) error {
	var found finding.List
	for _, d := range []struct{ variable, path, cure string }{
		{"RUN_DIR", string(s.RunDir), "mount a tmpfs there"},
		{"STATE_DIR", string(s.StateDir), "mount a volume there"},
	} {
		err := os.MkdirAll(d.path, 0o755)
		if err == nil {
			err = unix.Access(d.path, unix.W_OK|unix.X_OK)
		}
		if reason := syscall.Errno(0); errors.As(err, &reason) {
			found = append(found, finding.Finding{
				Code:    finding.Environment,
				Problem: fmt.Sprintf("%s %s: user %d cannot write there: %v", d.variable, d.path, os.Geteuid(), reason),
				Hint:    d.cure + ", or name another directory in " + d.variable,
			})
		}
	}
	if len(found) > 0 {
		return found
	}
	return nil
}

// PrepareDirectories makes the directories, and locks those that only one entrypoint may use
// until unlock.
func PrepareDirectories(s settings.Settings, id Identity) (unlock func(), err error) {
	if id.Root() { // which needs nobody else there; an image has them open to any user
		if err := closeToOthers(string(s.RunDir), string(s.StateDir)); err != nil {
			return nil, err
		}
		if err := removeForeign(s); err != nil {
			return nil, fmt.Errorf("removing what another user has in STATE_DIR: %w", err)
		}
	}
	if err := os.MkdirAll(s.DovecotState(), 0o755); err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	if id.Root() {
		if err := closeToOthers(s.DovecotState()); err != nil {
			return nil, err
		}
	}
	if uid, gid := id.MailOwner(s); !s.HasOperatorConfig() {
		if err := prepareMail(string(s.MailDir), uid, gid); err != nil {
			return nil, err
		}
	}
	run, err := lock("RUN_DIR", string(s.RunDir))
	if err != nil {
		return nil, err
	}
	state, err := lock("STATE_DIR", string(s.StateDir))
	if err == nil {
		endStray(string(s.RunDir))
	}
	unlock = func() {
		run.Close()
		state.Close()
	}
	if err != nil {
		unlock()
	}
	return unlock, err
}

const lockName = "lock"

// closeToOthers gives directories to root.
func closeToOthers(dirs ...string) error {
	for _, dir := range dirs {
		_ = os.Chown(dir, 0, -1) // NFS may not let root
		if err := os.Chmod(dir, 0o755); err != nil {
			return fmt.Errorf("closing a directory: %w", err)
		}
	}
	return nil
}

// removeForeign removes what root would run, serve or follow and somebody else may have
// written, because a user of mail could become root by a last good configuration.
func removeForeign(s settings.Settings) error {
	stateDir := string(s.StateDir)
	dir, err := os.Stat(stateDir)
	if err != nil {
		return err
	}
	ours := dir.Sys().(*syscall.Stat_t).Uid
	paths, err := filepath.Glob(filepath.Join(stateDir, "last-good*"))
	for _, path := range append(paths, s.SelfSigned(), s.DovecotState(), filepath.Join(stateDir, lockName)) {
		info, absent := os.Lstat(path)
		switch {
		case absent != nil || info.Sys().(*syscall.Stat_t).Uid == ours:
		case filepath.Base(path) == lockName && info.Mode().IsRegular(): // another pidgeon may hold it
		case path == s.DovecotState() && info.IsDir(): // closed later, as nothing in it is run
		default:
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
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
	if used, err := MailDirInUse(dir, uid); used || err != nil {
		return err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return fmt.Errorf("giving MAIL_DIR to %d:%d: %w", uid, gid, err)
	}
	return nil
}

// MailDirInUse reports whether a mail directory holds something, or is its owner's: then it
// is left as it is.
func MailDirInUse(dir string, uid int) (bool, error) {
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

// lock keeps a second entrypoint out: the two would swap each other's generations, or
// start with each other's users. A file system that knows no locks keeps nobody out.
func lock(variable, dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of %s: %w", variable, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		file.Close()
		return nil, fmt.Errorf("locking %s: another pidgeon runs there: give each its own %s", dir, variable)
	}
	return file, nil
}

// RemoveStale removes what a killed Dovecot left and the next one would believe: all of
// its base_dir if that lies in runDir. The PIDs in master.pid and in the lock of the list
// of instances may be somebody else's by now: for the first Dovecot refuses to start, for
// the second it waits 10 s (2.3.19, 2.4.1: lib-master/master-instance.c).
func RemoveStale(runDir, baseDir, stateDir string) error {
	remains := []string{filepath.Join(baseDir, "master.pid"), filepath.Join(stateDir, "instances.lock")}
	if strings.HasPrefix(baseDir, runDir+"/") {
		remains[0] = baseDir
	} else if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pidIn(remains[0]))); string(name) == "dovecot\n" {
		return nil // it runs, and is not ours to disturb: Dovecot says so
	}
	for _, path := range remains {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("clearing what Dovecot left: %w", err)
		}
	}
	return nil
}

// MasterPIDFile is the name of the file in the run directory that holds the PID of the
// master that was started last.
const MasterPIDFile = "master.pid"

func pidIn(path string) int {
	text, _ := os.ReadFile(path)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// strayPatience is how long a master that was left behind may take to end.
const strayPatience = 5 * time.Second

// endStray ends a master that outlived its entrypoint: outside a container
// nothing else does, and it holds the ports. That it is one is seen by its
// command line, which names our run directory.
func endStray(runDir string) {
	pid := pidIn(filepath.Join(runDir, MasterPIDFile))
	if pid <= 1 {
		return
	}
	runs := func() bool {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return err == nil && strings.Contains(string(cmdline), filepath.Join(runDir, "current")+"/")
	}
	if runs() {
		_ = unix.Kill(pid, unix.SIGTERM)
	}
	for end := time.Now().Add(strayPatience); runs() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
}
