package status

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Volume is the file system of MAIL_DIR.
type Volume struct {
	Dir  string `json:"dir"`
	Free uint64 `json:"free"` // bytes
	Size uint64 `json:"size"` // 0 if unknown
	Full bool   `json:"full"`
}

// almostNothing is less than Dovecot needs to make a user's mailboxes.
const almostNothing = 1 << 20

// Measure returns the volume with its free space. The process that asks calls it, because a
// mount that hangs would block PID 1.
func (v Volume) Measure() Volume {
	var fs unix.Statfs_t
	if v.Dir == "" || unix.Statfs(v.Dir, &fs) != nil {
		return v
	}
	block := uint64(fs.Bsize)
	v.Free, v.Size = fs.Bavail*block, fs.Blocks*block
	v.Full = v.Free < almostNothing || fs.Files > 0 && fs.Ffree == 0
	return v
}

// String is for people.
func (v Volume) String() string {
	left := fmt.Sprintf("%d of %d MiB free", v.Free>>20, v.Size>>20)
	if v.Full {
		return "full (" + left + "): nothing is stored, and who has no mailbox yet does not get in"
	}
	return left
}
