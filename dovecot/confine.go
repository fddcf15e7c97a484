package dovecot

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What Landlock calls writing (landlock(7)), by the version that brought it.
const (
	making  = unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
	writing = making | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	writing2 = unix.LANDLOCK_ACCESS_FS_REFER
	writing3 = unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// RunConfined runs f on a thread that, with its child processes, may write only below dir,
// and make sockets only in some directories, so that a rehearsal cannot change mail, dicts
// and logs. Without Landlock in the kernel (before 5.13, or not in use) f runs unconfined.
func RunConfined(dir string, sockets []string, f func() error) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so that the confined thread ends with the goroutine
		if err := confine(dir, sockets); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) {
			ended <- err
			return
		}
		ended <- f()
	}()
	return <-ended
}

func confine(dir string, sockets []string) error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return errno
	}
	rights := uint64(writing)
	if version >= 2 {
		rights |= writing2
	}
	if version >= 3 {
		rights |= writing3
	}
	attributes := unix.LandlockRulesetAttr{Handled_access_fs: rights}
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes.Handled_access_fs), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(ruleset))
	allow := func(dir string, access uint64) error {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // nobody writes there
		}
		defer unix.Close(fd)
		rule := unix.LandlockPathBeneathAttr{Allowed_access: access & rights, Parent_fd: int32(fd)}
		if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
			return errno
		}
		return nil
	}
	// doveconf of 2.4 has a file in /tmp before it knows another place (2.4.1:
	// config-dump-full.c).
	err := errors.Join(
		allow(dir, rights),
		allow("/dev", unix.LANDLOCK_ACCESS_FS_WRITE_FILE|writing3),
		allow("/tmp", unix.LANDLOCK_ACCESS_FS_MAKE_REG|unix.LANDLOCK_ACCESS_FS_REMOVE_FILE|unix.LANDLOCK_ACCESS_FS_WRITE_FILE|writing3))
	for _, place := range sockets {
		err = errors.Join(err, allow(place, making))
	}
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
