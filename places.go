package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"pidgeon/dovecot"
	"pidgeon/finding"
)

// mailFaults finds a place for mail where its owner cannot write. The rehearsal
// does not see that: it keeps out of real mail.
func (b builder) mailFaults(ctx context.Context, effective dovecot.Settings, mailDir string, uid, gid int) finding.List {
	var found finding.List
	for _, path := range effective.MailPaths() {
		fixed, _, _ := strings.Cut(path, "%")
		if strings.HasPrefix(fixed, mailDir+"/") && b.willPrepare(mailDir, uid) {
			continue
		}
		dir := existing(filepath.Dir(fixed + "x"))
		if !b.writable(ctx, dir, uid, gid) {
			found = append(found, finding.Finding{
				Code:    finding.UnreadableFile,
				Problem: fmt.Sprintf("mail would lie in %s, and user %d:%d cannot write to %s", path, uid, gid, dir),
				Hint:    "name a path below MAIL_DIR, or mount a directory that this user owns",
			})
		}
	}
	return found
}

// willPrepare reports whether a start would make a mail directory, or give it to
// its owner.
func (b builder) willPrepare(mailDir string, uid int) bool {
	used, err := inUse(mailDir, uid)
	return b.identity.root() && !used && (err == nil || errors.Is(err, os.ErrNotExist))
}

// existing is the nearest directory on the way up that exists, or the file that
// stands in the way.
func existing(path string) string {
	for path != "/" {
		if _, err := os.Lstat(path); err == nil {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// writable asks in a process of that user: modes alone do not tell (ACLs, file
// systems with rules of their own). Where that cannot be asked, nothing is said.
func (b builder) writable(ctx context.Context, dir string, uid, gid int) bool {
	cmd := exec.Command("/proc/self/exe", accessCommand, dir)
	if b.identity.root() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	var exit *exec.ExitError
	return !errors.As(b.run(ctx, cmd), &exit)
}

// accessCommand is what writable runs; it is not for people.
const accessCommand = "may-write"

func (c command) mayWrite() int {
	for _, dir := range c.args {
		if unix.Access(dir, unix.W_OK|unix.X_OK) != nil {
			return 1
		}
	}
	return 0
}
