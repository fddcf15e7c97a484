// Package config is what all rooms call the same things: a file of a
// configuration, a listener, and the protocols that Dovecot serves.
package config

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
)

// File is one file of a configuration, mounted, rendered or published.
type File struct {
	Name     string      // slash-separated, relative to where the others lie
	Origin   string      // the path the operator knows it by
	Override bool        // the operator wrote it
	Mode     fs.FileMode // 0 means 0640; private keys have 0600
	Data     []byte
}

// Files are a complete configuration; Dovecot reads Main.
type Files []File

const (
	// Main is the name of the main file.
	Main = "dovecot.conf"
	// DirFile is the name of a file that holds the path of the directory that a
	// configuration was rendered for.
	DirFile = "generation"
)

// Sum identifies bytes.
type Sum [sha256.Size]byte

// IsZero reports whether s stands for nothing.
func (s Sum) IsZero() bool { return s == Sum{} }

// MarshalText writes hexadecimal digits.
func (s Sum) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", s[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Sum) UnmarshalText(text []byte) error {
	var sum []byte
	if _, err := fmt.Sscanf(string(text), "%x", &sum); err != nil || len(sum) != len(s) {
		return fmt.Errorf("reading a digest: %q is none", text)
	}
	copy(s[:], sum)
	return nil
}

// Digest identifies the configuration wherever it lies: dir, which it was rendered
// for, does not count.
func (f Files) Digest(dir string) Sum {
	h := sha256.New()
	for _, file := range f {
		data := bytes.ReplaceAll(file.Data, []byte(dir), []byte{0})
		fmt.Fprintf(h, "%q %d\n", file.Name, len(data))
		h.Write(data)
	}
	return Sum(h.Sum(nil))
}

// For returns the files of a saved configuration as if rendered for dir.
func (f Files) For(dir string) Files {
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
