package container

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

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

// MailOwner is who owns the mail: without root nobody else can.
func (i Identity) MailOwner(s settings.Settings) (uid, gid int) {
	if i.Root() {
		return int(s.MailUID), int(s.MailGID)
	}
	return i.UID, i.GID
}

// extraUsers is where libnss-extrausers looks for users that /etc/passwd lacks.
// In the image it is a link into the run directory.
const extraUsers = "/var/lib/extrausers"

// Identify returns the identity. Dovecot takes users by name alone (2.3.19, 2.4.1:
// getpwnam), so a number without a name gets one, where the image allows it.
func Identify(runDir string) (Identity, error) {
	id := Identity{UID: os.Geteuid(), GID: os.Getegid()}
	if id.Root() {
		return id, nil
	}
	u, userErr := user.LookupId(strconv.Itoa(id.UID))
	g, groupErr := user.LookupGroupId(strconv.Itoa(id.GID))
	if userErr == nil && groupErr == nil {
		id.User, id.Group = u.Username, g.Name
		return id, nil
	}
	if err := nameOurselves(&id, runDir, u, g); err != nil {
		return id, fmt.Errorf("running as user %d:%d, which has no name in /etc/passwd and /etc/group: %w", id.UID, id.GID, err)
	}
	return id, nil
}

func nameOurselves(id *Identity, runDir string, u *user.User, g *user.Group) error {
	dir := filepath.Join(runDir, "extrausers")
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
	id.User, id.Group = "pidgeon", "pidgeon"
	if u != nil {
		id.User = u.Username
	}
	if g != nil {
		id.Group = g.Name
	}
	passwd := fmt.Sprintf("%s:x:%d:%d::/:/usr/sbin/nologin\n", id.User, id.UID, id.GID)
	group := fmt.Sprintf("%s:x:%d:\n", id.Group, id.GID)
	// Renamed into place: a Dovecot that runs beside a check looks its user up there.
	return errors.Join(
		renameio.WriteFile(filepath.Join(dir, "passwd"), []byte(passwd), 0o644),
		renameio.WriteFile(filepath.Join(dir, "group"), []byte(group), 0o644),
		renameio.WriteFile(filepath.Join(dir, "shadow"), nil, 0o600))
}

// DovecotGroup is the group of Dovecot's internal user, which has to read what
// root writes; -1 where we are not root or there is none.
func (i Identity) DovecotGroup() int {
	if !i.Root() {
		return -1
	}
	g, err := user.LookupGroup("dovecot")
	if err != nil {
		return -1
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1
	}
	return gid
}
