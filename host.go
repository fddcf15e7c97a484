package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/settings"
	"pidgeon/sizing"
	"pidgeon/supervise"
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

// filesInReserve are allowed to each process beyond need, where the hard limit
// lets us: a later override may ask for more, and a running process keeps the
// limit it was started with.
const filesInReserve = 1 << 16

// measure sizes for what the container allows and raises ulimit -n to it.
func measure(s settings.Settings) (machine sizing.Machine, short int, err error) {
	machine = sizing.Machine{CPUs: runtime.GOMAXPROCS(0), Files: 1 << 30} // GOMAXPROCS minds the cgroup's quota
	hard, err := hardFiles()
	if err != nil {
		return machine, 0, err
	}
	want := sizing.Size(s.Ask(), machine).Files
	soft, err := supervise.RaiseFiles(max(uint64(want), min(hard, filesInReserve)))
	machine.Files = int(soft)
	if need := sizing.Size(s.Ask(), machine).Files; need > machine.Files {
		short = need
	}
	return machine, short, err
}

func hardFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit on open files: %w", err)
	}
	return limit.Max, nil
}

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

// bindable tries each listener before Dovecot does. At the start Dovecot would
// name only the first that fails, and neither the variable nor the reason; on a
// reload its master panics when a service is left without any listener (2.3.19,
// 2.4.1: services_listen_using has closed the old ones by then). A port that is
// taken by ourselves is not at fault: Dovecot closes the old socket first.
func bindable(listeners []dovecot.Listener, live []dovecot.Listener) error {
	ours := map[int]bool{}
	for _, l := range live {
		ours[l.Port] = true
	}
	var found finding.List
	for _, l := range listeners {
		for _, address := range l.Addresses {
			err := tryBind(address, l.Port)
			if err == nil || errors.Is(err, syscall.EADDRINUSE) && ours[l.Port] {
				continue
			}
			found = append(found, finding.Finding{
				Problem: fmt.Sprintf("cannot listen for %s on %s port %d: %v", l.Name, address, l.Port, err),
				Hint:    bindHint(l.Name, err),
			})
		}
	}
	if len(found) > 0 {
		return found
	}
	return nil
}

// withoutIPv6 leaves :: out of the addresses where the container has no IPv6:
// Dovecot would not start, and * was all that could be meant.
func withoutIPv6(addresses settings.Addresses) (settings.Addresses, bool) {
	i := slices.Index(addresses, "::")
	if i < 0 || len(addresses) == 1 {
		return addresses, false
	}
	err := tryBind("::", 0)
	if !errors.Is(err, syscall.EAFNOSUPPORT) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return addresses, false
	}
	return slices.Delete(slices.Clone(addresses), i, i+1), true
}

func tryBind(address string, port int) error {
	network := "tcp4"
	switch {
	case address == "*":
		address = "0.0.0.0"
	case net.ParseIP(address).To4() == nil:
		network = "tcp6"
	}
	l, err := net.Listen(network, net.JoinHostPort(address, strconv.Itoa(port)))
	if err == nil {
		return l.Close()
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func bindHint(name string, err error) string {
	variable := strings.ToUpper(name) + "_PORT"
	switch {
	case !slices.ContainsFunc(settings.Variables(), func(v settings.Variable) bool { return v.Name == variable }):
		variable = "its port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "set LISTEN to an address that this container has"
	}
	if errors.Is(err, syscall.EACCES) {
		return "set " + variable + " above 1023, or allow low ports with the sysctl net.ipv4.ip_unprivileged_port_start=0"
	}
	return "set " + variable + " to another port, or to 0 to turn it off"
}
