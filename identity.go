package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"pidgeon/settings"
)

// identity is the user we run as; all empty for root.
type identity struct {
	user, group string
	uid, gid    int
}

func (i identity) root() bool { return i.uid == 0 }

// mailUID and mailGID own the mail: without root nobody else can.
func (i identity) mailUID(s settings.Settings) int {
	if i.root() {
		return int(s.MailUID)
	}
	return i.uid
}

func (i identity) mailGID(s settings.Settings) int {
	if i.root() {
		return int(s.MailGID)
	}
	return i.gid
}

// extraUsers is where libnss-extrausers looks for users that /etc/passwd lacks.
// In the image it is a link into the run directory.
const extraUsers = "/var/lib/extrausers"

// whoami returns the identity. Dovecot takes users by name alone (2.3.19, 2.4.1:
// getpwnam), so a number without a name gets one, where the image allows it.
func whoami(runDir string) (identity, error) {
	id := identity{uid: os.Geteuid(), gid: os.Getegid()}
	if id.root() {
		return id, nil
	}
	u, userErr := user.LookupId(strconv.Itoa(id.uid))
	g, groupErr := user.LookupGroupId(strconv.Itoa(id.gid))
	if userErr == nil && groupErr == nil {
		id.user, id.group = u.Username, g.Name
		return id, nil
	}
	if err := nameOurselves(&id, runDir, u, g); err != nil {
		return id, fmt.Errorf("running as user %d:%d, which has no name in /etc/passwd and /etc/group: %w", id.uid, id.gid, err)
	}
	return id, nil
}

func nameOurselves(id *identity, runDir string, u *user.User, g *user.Group) error {
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
	id.user, id.group = "pidgeon", "pidgeon"
	if u != nil {
		id.user = u.Username
	}
	if g != nil {
		id.group = g.Name
	}
	passwd := fmt.Sprintf("%s:x:%d:%d::/:/usr/sbin/nologin\n", id.user, id.uid, id.gid)
	group := fmt.Sprintf("%s:x:%d:\n", id.group, id.gid)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "passwd"), []byte(passwd), 0o644),
		os.WriteFile(filepath.Join(dir, "group"), []byte(group), 0o644),
		os.WriteFile(filepath.Join(dir, "shadow"), nil, 0o600))
}

// dovecotGroup is the group of Dovecot's internal user, which has to read what
// root writes; -1 where we are not root or there is none.
func dovecotGroup(id identity) int {
	if !id.root() {
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
