package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"pidgeon/dovecot"
	"pidgeon/finding"
)

// referenceFaults finds files named by overrides that nobody could read to an end
// (a FIFO, a device), or that change with every generation.
func referenceFaults(references []string, runDir string) finding.List {
	var found finding.List
	for _, path := range references {
		problem := ""
		info, err := os.Stat(path)
		switch {
		case strings.HasPrefix(path, runDir+"/"):
			problem = "lies in RUN_DIR, which pidgeon writes: name the file it comes from"
		case err != nil:
			continue // Dovecot says so
		case info.Mode().IsRegular() && info.Size() > maxReferenced:
			problem = "is larger than 1 MiB"
		case !info.Mode().IsRegular() && !info.IsDir():
			problem = "is not a regular file"
		}
		if problem != "" {
			found = append(found, finding.Finding{Code: finding.UnreadableFile, Problem: fmt.Sprintf("the file %s, which an override names, %s", path, problem)})
		}
	}
	return found
}

// mailFaults finds a place for mail where its owner cannot write. The rehearsal
// does not see that: it keeps out of real mail.
func mailFaults(effective dovecot.Settings, uid, gid int) finding.List {
	var found finding.List
	for _, path := range effective.MailPaths() {
		fixed, _, _ := strings.Cut(path, "%")
		dir := existing(filepath.Dir(fixed + "x"))
		if !writable(dir, uid, gid) {
			found = append(found, finding.Finding{
				Code:    finding.UnreadableFile,
				Problem: fmt.Sprintf("mail would lie in %s, and user %d:%d cannot write to %s", path, uid, gid, dir),
				Hint:    "name a path below MAIL_DIR, or mount a directory that this user owns",
			})
		}
	}
	return found
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

func writable(dir string, uid, gid int) bool {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	var fsInfo syscall.Statfs_t
	if err := syscall.Statfs(dir, &fsInfo); err != nil || fsInfo.Type == procMagic || fsInfo.Flags&readOnly != 0 {
		return false
	}
	stat := info.Sys().(*syscall.Stat_t)
	bits := fs.FileMode(0o003)
	switch {
	case int(stat.Uid) == uid:
		bits <<= 6
	case int(stat.Gid) == gid:
		bits <<= 3
	}
	return info.Mode()&bits == bits
}

const (
	procMagic = 0x9fa0 // statfs(2): nobody makes a directory in /proc
	readOnly  = 1      // ST_RDONLY
)
