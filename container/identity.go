package container

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/google/renameio/v2"

	"pidgeon/settings"
)

// Identity is the user that this process runs as; the names are empty for root.
type Identity struct {
	User, Group string
	UID, GID    int
}

// Root reports whether it is root.
func (i Identity) Root() bool { return i.UID == 0 }

// MailOwner is who owns the mail: without root nobody else can. Otherwise it is who was
// asked for, or else who has the mail directory already.
func (i Identity) MailOwner(s settings.Settings) (uid, gid int) {
	if i.Root() {
		uid, gid = ownerOf(string(s.MailDir))
		return cmp.Or(int(s.MailUID), uid, firstOwner), cmp.Or(int(s.MailGID), gid, firstOwner)
	}
	return i.UID, i.GID
}

// firstOwner owns mail where nobody does yet; the image has a name for it.
const firstOwner = 5000

// ownerOf is who owns a directory or, if that is root, the first thing in it that is not
// root's; 0 where all is.
func ownerOf(dir string) (uid, gid int) {
	d, err := os.Open(dir)
	if err != nil {
		return 0, 0
	}
	defer d.Close()
	names, _ := d.Readdirnames(100)
	slices.Sort(names)
	for _, name := range append([]string{"."}, names...) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Sys().(*syscall.Stat_t).Uid != 0 {
			owner := info.Sys().(*syscall.Stat_t)
			return int(owner.Uid), int(owner.Gid)
		}
	}
	return 0, 0
}

// extraUsers is where libnss-extrausers looks for users that /etc/passwd lacks.
// In the image it is a link into the run directory.
const extraUsers = "/var/lib/extrausers"

// Identify returns the identity. Dovecot takes users by name alone (2.3.19, 2.4.1:
// getpwnam), so a number without a name gets one, where the image allows it.
func Identify(runDir string) (Identity, error) {
	id := Identity{User: "pidgeon", Group: "pidgeon", UID: os.Geteuid(), GID: os.Getegid()}
	if id.Root() {
		return Identity{GID: id.GID}, nil
	}
	u, userErr := user.LookupId(strconv.Itoa(id.UID))
	if userErr == nil {
		id.User = u.Username
	}
	g, groupErr := user.LookupGroupId(strconv.Itoa(id.GID))
	if groupErr == nil {
		id.Group = g.Name
	}
	if userErr == nil && groupErr == nil {
		return id, nil
	}
	if err := id.enter(filepath.Join(runDir, "extrausers")); err != nil {
		return id, fmt.Errorf("running as user %d:%d, which has no name in /etc/passwd and /etc/group: %w", id.UID, id.GID, err)
	}
	return id, nil
}

// enter names the user and the group in dir, if libnss-extrausers looks there.
func (i Identity) enter(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	here, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if there, err := os.Stat(extraUsers); err != nil || !os.SameFile(here, there) {
		return fmt.Errorf("%s does not lead to %s: run as a user that has a name, or install libnss-extrausers and link it", extraUsers, dir)
	}
	passwd := fmt.Sprintf("%s:x:%d:%d::/:/usr/sbin/nologin\n", i.User, i.UID, i.GID)
	group := fmt.Sprintf("%s:x:%d:\n", i.Group, i.GID)
	// Renamed into place: a Dovecot that runs beside a check looks its user up there.
	return errors.Join(
		renameio.WriteFile(filepath.Join(dir, "passwd"), []byte(passwd), 0o644),
		renameio.WriteFile(filepath.Join(dir, "group"), []byte(group), 0o644),
		renameio.WriteFile(filepath.Join(dir, "shadow"), nil, 0o600))
}

// DovecotUser is Dovecot's internal user, which has to read what root writes; -1 where
// we are not root or there is none.
func (i Identity) DovecotUser() (uid, gid int) {
	uid, gid = -1, -1
	if u, err := user.Lookup("dovecot"); err == nil && i.Root() {
		_, _ = fmt.Sscan(u.Uid, &uid)
		_, _ = fmt.Sscan(u.Gid, &gid)
	}
	return uid, gid
}
