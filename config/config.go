// Package config is what all rooms call the same things: a file of a
// configuration, a listener, and the protocols that Dovecot serves.
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
	Name     string      // slash-separated, relative to where the others lie
	Origin   string      // the path the operator knows it by
	Override bool        // the operator wrote it
	Mode     fs.FileMode // 0 means 0640; private keys have 0600, passwords AuthFileMode
	Data     []byte
	Lines    []int `json:"-"` // in the operator's file, of each line of Data; nil where they are the same
}

// Line is what the operator knows a line of the file with this origin by.
func (f Files) Line(origin string, line int) int {
	for _, file := range f {
		if file.Origin == origin {
			return file.Line(line)
		}
	}
	return line
}

// Line is what the operator knows a line of the data by.
func (f File) Line(line int) int {
	if line < 1 || line > len(f.Lines) {
		return line
	}
	return f.Lines[line-1]
}

// Files are a complete configuration; Dovecot reads Main.
type Files []File

const (
	// AuthFileMode is the mode of what auth reads as Dovecot's internal user, whose it is: all
	// that serves a user has that one's group (2.3.19, 2.4.1: extra_groups).
	AuthFileMode fs.FileMode = 0o400
	// Main is the name of the main file.
	Main = "dovecot.conf"
	// DirFile is the name of a file that holds the path of the directory that a
	// configuration was rendered for.
	DirFile = "generation"
	// OperatorConfigDir begins the names of copies of what an operator's own configuration includes;
	// the path of the original follows.
	OperatorConfigDir = "own"
)

// IsConfiguration reports whether Dovecot reads a file as configuration; others are keys and lists
// of users.
func (f File) IsConfiguration() bool {
	return path.Ext(f.Name) == ".conf" || strings.HasPrefix(f.Name, OperatorConfigDir+"/")
}

// OverrideDefinitions is what overrides bring of their own, to which pidgeon's templates give way.
type OverrideDefinitions struct {
	Passdb, Userdb bool
	Auth           bool   // another user for auth
	Inbox          bool   // a namespace with the INBOX
	Separator      string // of namespaces, which all have the same
	Cleartext      bool   // logins without TLS, where TLS is required
	FirstUID       int    // the lowest that mail may have, 0 if unset
	LastUID        int    // and the highest
	Ports          string // that listeners have, each between blanks
	// ConfigVersion and StorageVersion are what 2.4 takes in the main file alone.
	ConfigVersion, StorageVersion string
}

// Sum identifies bytes: their SHA-256, in hexadecimal digits.
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

// Data is what the named file holds, nil if there is none.
func (f Files) Data(name string) []byte {
	for _, file := range f {
		if file.Name == name {
			return file.Data
		}
	}
	return nil
}
