package candidate

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
	"pidgeon/settings"
)

// mailOwner is the owner of all mail; if users have owners of their own, known is false and
// the IDs are any that Dovecot accepts.
func (h Host) mailOwner(c Candidate, effective dovecot.Settings) (uid, gid int, known bool) {
	uid, gid = h.Facts.Identity.MailOwner(c.Settings)
	if !h.Facts.Identity.Root() {
		return uid, gid, true
	}
	owner, group := effective.MailOwner()
	if owner == "" || c.OverrideDefinitions.Userdb && owner == strconv.Itoa(uid) && !effective.StaticUsers() {
		return effective.NearestValidID("uid", uid), effective.NearestValidID("gid", gid), false
	}
	if u, err := user.Lookup(owner); err == nil {
		owner, group = u.Uid, cmp.Or(group, u.Gid)
	}
	if g, err := user.LookupGroup(group); err == nil {
		group = g.Gid
	}
	if n, err := strconv.Atoi(owner); err == nil {
		uid = n
	}
	if n, err := strconv.Atoi(group); err == nil {
		gid = n
	}
	return uid, gid, effective["mail_privileged_group"]+effective["mail_access_groups"] == ""
}

// rehearsalOwner is the owner that the user of a rehearsal has: that of all mail, or the
// nearest whom Dovecot lets at mail if a database may give users others.
func (h Host) rehearsalOwner(c Candidate, effective dovecot.Settings) (uid, gid int, warned finding.List) {
	uid, gid, _ = h.mailOwner(c, effective)
	validUID, validGID := effective.NearestValidID("uid", uid), effective.NearestValidID("gid", gid)
	theirs := c.Settings.HasOperatorConfig() || c.OverrideDefinitions.Userdb
	if validUID == uid && validGID == gid || !theirs || effective.SetsOwner() || !h.Facts.Identity.Root() {
		return uid, gid, nil
	}
	problem := fmt.Sprintf("Dovecot lets nobody at mail with the owner %d:%d that mail_uid and mail_gid name: who has no other in the user database gets none", uid, gid)
	return validUID, validGID, finding.List{finding.Warn(finding.OtherMeaning, "", problem, "set first_valid_uid, last_valid_uid, first_valid_gid and last_valid_gid so that it lies between them")}
}

// mailFaults finds mail paths where the owner cannot write. The rehearsal does not find
// them, because it uses other paths.
func (h Host) mailFaults(effective dovecot.Settings, mailDir string, uid, gid int) finding.List {
	var found finding.List
	for _, path := range effective.MailPaths() {
		fixed, _, _ := strings.Cut(path, "%")
		if strings.HasPrefix(fixed, mailDir+"/") && h.preparedAtStart(mailDir, uid) {
			continue
		}
		dir := existing(filepath.Dir(fixed + "x"))
		if !h.writable(dir, uid, gid) {
			found = append(found, finding.Finding{
				Code:    finding.UnreadableFile,
				Problem: fmt.Sprintf("mail would lie in %s, and user %d:%d cannot write to %s", path, uid, gid, dir),
				Hint:    fmt.Sprintf("name a path below MAIL_DIR that this user owns, or: chown -R %d:%d %s", uid, gid, dir),
			})
		}
	}
	return found
}

// maxHomes bounds the number of homes that are checked.
const maxHomes = 100

var variable = lazyregexp.New(`%\{[a-z]+\}`)

// foreignHome finds a home with another owner, whose user could log in and read no mail.
func foreignHome(home settings.Layout, mailDir string, uid, gid int) finding.List {
	homes := lint.Glob(variable.ReplaceAllString(string(home), "[a-z0-9_]*"))
	for _, dir := range homes[:min(len(homes), maxHomes)] {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() || filepath.Base(dir) == "lost+found" {
			continue
		}
		if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != uid {
			problem := fmt.Sprintf("it belongs to %d:%d, and all mail to %d:%d", owner.Uid, owner.Gid, uid, gid)
			return finding.List{finding.Warn(finding.UnreadableFile, dir, problem, fmt.Sprintf("chown -R %d:%d %s, or set MAIL_UID and MAIL_GID", uid, gid, mailDir))}
		}
	}
	return nil
}

// preparedAtStart reports whether a start makes the mail directory or sets its owner.
func (h Host) preparedAtStart(mailDir string, uid int) bool {
	used, err := container.MailDirInUse(mailDir, uid)
	return h.Facts.Identity.Root() && !used && (err == nil || errors.Is(err, os.ErrNotExist))
}

// existing is the nearest existing parent of a path, which may be a file.
func existing(path string) string {
	for path != "/" {
		if _, err := os.Lstat(path); err == nil {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// writable asks the kernel as that user, because ACLs and some file systems decide by more
// than modes.
func (h Host) writable(dir string, uid, gid int) bool {
	answer := make(chan bool)
	go func() {
		runtime.LockOSThread()            // never unlocked, so that the thread ends with the goroutine
		if unix.Gettid() == os.Getpid() { // the first one would not, and stay somebody else
			answer <- h.writable(dir, uid, gid)
			runtime.UnlockOSThread()
			return
		}
		if h.Facts.Identity.Root() {
			_, _, _ = unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
			_, _ = unix.SetfsgidRetGid(gid)
			_, _ = unix.SetfsuidRetUid(uid)
		}
		answer <- unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
	}()
	return <-answer
}
