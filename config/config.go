// Package config has the types that most other packages share: a file of a configuration, a
// listener, and the protocols that Dovecot serves.
package config

import (
	"bytes"
	"encoding/hex"
	"hash"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// File is one file of a configuration, mounted, rendered or published.
type File struct {
	Name     string      // slash-separated, relative to the directory of the configuration
	Origin   string      // the path or template it comes from, for messages
	Override bool        // it is the operator's
	Mode     fs.FileMode // 0 means 0640; private keys have 0600, passwords AuthFileMode
	Data     []byte
	Lines    []int `json:"-"` // in the operator's file, of each line of Data; nil where they are the same
}

// Line is the number that a line of the file with this origin has in the operator's file.
func (f Files) Line(origin string, line int) int {
	for _, file := range f {
		if file.Origin == origin {
			return file.Line(line)
		}
	}
	return line
}

// Line is the number that a line of Data has in the operator's file.
func (f File) Line(line int) int {
	if line < 1 || line > len(f.Lines) {
		return line
	}
	return f.Lines[line-1]
}

// Files are a complete configuration; Dovecot reads Main.
type Files []File

const (
	// AuthFileMode is the mode of files of Dovecot's internal user that auth reads. Its group
	// may not, because all processes that serve users have it (2.3.19, 2.4.1: extra_groups).
	AuthFileMode fs.FileMode = 0o400
	// Main is the name of the main file.
	Main = "dovecot.conf"
	// DirFile is the name of a file that holds the path of the directory that a
	// configuration was rendered for.
	DirFile = "generation"
	// OperatorConfigDir is the directory with copies of the files that the operator's
	// configuration includes, below it by their whole paths.
	OperatorConfigDir = "own"
)

// IsConfiguration reports whether Dovecot reads a file as configuration; other files are keys
// and lists of users.
func (f File) IsConfiguration() bool {
	return path.Ext(f.Name) == ".conf" || strings.HasPrefix(f.Name, OperatorConfigDir+"/")
}

// OverrideDefinitions are sections and settings of overrides that replace those of pidgeon's
// templates.
type OverrideDefinitions struct {
	Passdb, Userdb bool
	Auth           bool   // another user for auth
	Lookups        bool   // another auth for lmtp to ask, another user who asks, or more that do
	Inbox          bool   // a namespace with the INBOX
	Separator      string // of namespaces, which all have the same
	Cleartext      bool   // logins without TLS, where TLS is required
	FirstUID       int    // first_valid_uid, 0 if unset
	LastUID        int    // last_valid_uid
	Ports          string // of listeners, each as SERVICE:PORT between blanks
	// ConfigVersion and StorageVersion are settings that 2.4 takes in the main file alone.
	ConfigVersion, StorageVersion string
}

// Sum is a SHA-256 in hexadecimal digits.
type Sum string

// SumOf is the sum of what was written to a SHA-256.
func SumOf(h hash.Hash) Sum { return Sum(hex.EncodeToString(h.Sum(nil))) }

// Relocate returns the files of a saved configuration as if rendered for dir.
func (f Files) Relocate(dir string) Files {
	from := bytes.TrimSpace(f.Data(DirFile))
	moved := slices.Clone(f)
	for i := range moved {
		if len(from) > 0 {
			moved[i].Data = bytes.ReplaceAll(moved[i].Data, from, []byte(dir))
		}
	}
	return moved
}

// Data is the content of the named file, nil if there is none.
func (f Files) Data(name string) []byte {
	for _, file := range f {
		if file.Name == name {
			return file.Data
		}
	}
	return nil
}
