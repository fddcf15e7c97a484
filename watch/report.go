package watch

import (
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// report says what hinders the watching and returns the time until the next
// poll.
func (w *Watcher) report(found *survey, err error) time.Duration {
	interval := w.opt.Slow
	if err != nil {
		interval = w.opt.Fast
		w.reportBlind(err)
	}
	seen := map[uint64]bool{}
	for _, m := range found.order {
		if !m.near || seen[m.id.dev] {
			continue // once for each file system
		}
		seen[m.id.dev] = true
		if system := w.silent(m.path); system != "" {
			interval = w.opt.Fast
			w.notices.warn("file system does not report changes, polling instead",
				strconv.FormatUint(m.id.dev, 10), "directory", m.path, "file_system", system, "interval", w.opt.Fast)
		}
	}
	for _, mount := range found.replacedMounts() {
		w.notices.warn("mounted path was replaced on the host and cannot be followed",
			mount, "path", mount, "hint", "mount the directory that contains it and restart the container")
	}
	w.notices.turn()
	return interval
}

func (w *Watcher) reportBlind(err error) {
	if errors.Is(err, errMoving) {
		return
	}
	args := []any{"error", err, "interval", w.opt.Fast}
	switch {
	case errors.Is(err, unix.ENOSPC):
		args = append(args, "hint", "raise fs.inotify.max_user_watches on the host")
	case errors.Is(err, unix.EMFILE):
		args = append(args, "hint", "raise fs.inotify.max_user_instances on the host, or the limit of open files")
	}
	w.notices.warn("changes are not reported, polling instead", "", args...)
}

// startOver handles the errors of fsnotify: events were lost, and marks may be.
func (w *Watcher) startOver(err error) {
	w.settle.touch()
	if errors.Is(err, unix.EINVAL) {
		// A marked file was renamed and removed before fsnotify could drop
		// the mark, as editors do with their backups. Nothing is lost.
		return
	}
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		err = errors.New("too many changes at once")
	}
	w.notices.log.Warn("changes were lost, looking at everything again", "error", err)
	// An overflow may have swallowed the end of a mark, too: start over.
	w.marks.close()
}

// notices logs a hindrance once, and again only after it had passed.
type notices struct {
	log       *slog.Logger
	said, now map[string]string // message and subject → message
}

func (n *notices) warn(message, subject string, args ...any) {
	key := message + "\x00" + subject
	if n.said[key] == "" && n.now[key] == "" {
		n.log.Warn(message, args...)
	}
	if n.now == nil {
		n.now = make(map[string]string)
	}
	n.now[key] = message
}

// turn ends a look: a hindrance that was not warned of in it has passed.
func (n *notices) turn() {
	for key, message := range n.said {
		if n.now[key] == "" {
			n.log.Info("watching recovered", "from", message)
		}
	}
	n.said, n.now = n.now, nil
}

// replacedMounts lists the mount points among the surveyed paths whose source
// was removed or replaced on the host. The mount keeps the old inode for ever;
// nothing inside the container can see the new one.
func (s *survey) replacedMounts() []string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var gone []string
	for point, deleted := range mountPoints(string(table)) {
		if m := s.paths[point]; m != nil && (deleted || m.links == 0) {
			gone = append(gone, point)
		}
	}
	return gone
}

// mountPoints reads a mountinfo table: which paths are mount points, and
// whether the kernel calls the source deleted. Of mounts on top of each other
// the last is the one that is seen.
func mountPoints(table string) map[string]bool {
	points := map[string]bool{}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		points[unescape.Replace(fields[4])] = strings.HasSuffix(fields[3], "//deleted")
	}
	return points
}

// vboxMagic is missing in x/sys: the shared folders of VirtualBox.
const vboxMagic = 0x786f4256

// silentFileSystem names the file system of dir if changes made on another
// machine, or outside the virtual one, raise no events in it. overlayfs does
// report what happens inside the container and so is not one of them.
func silentFileSystem(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	return silentName(uint32(st.Type))
}

func silentName(magic uint32) string {
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "smb"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse or virtiofs" // they share the number
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.CEPH_SUPER_MAGIC:
		return "ceph"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "afs"
	case unix.OCFS2_SUPER_MAGIC:
		return "ocfs2"
	case vboxMagic:
		return "vboxsf"
	}
	return ""
}
