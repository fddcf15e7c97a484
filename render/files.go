package render

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
)

// File is one file of the rendered configuration.
type File struct {
	Name   string      // slash-separated, relative to the generation
	Origin string      // the path the operator knows it by
	Mode   fs.FileMode // 0640, or 0600 for a private key
	Data   []byte
}

// Files are a complete configuration; Dovecot reads Main.
type Files []File

// Main is the name of the main file.
const Main = "dovecot.conf"

// Place is the name of a file that holds the path of the generation it was rendered for.
const Place = "generation"

// Digest identifies the configuration wherever it is published: dir, the
// generation it was rendered for, does not count.
func (f Files) Digest(dir string) [sha256.Size]byte {
	h := sha256.New()
	for _, file := range f {
		data := bytes.ReplaceAll(file.Data, []byte(dir), []byte{0})
		fmt.Fprintf(h, "%q %d\n", file.Name, len(data))
		h.Write(data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// For returns the files of a saved generation as if rendered for dir.
func (f Files) For(dir string) Files {
	var from []byte
	for _, file := range f {
		if file.Name == Place {
			from = bytes.TrimSpace(file.Data)
		}
	}
	moved := slices.Clone(f)
	for i := range moved {
		if len(from) > 0 {
			moved[i].Data = bytes.ReplaceAll(moved[i].Data, from, []byte(dir))
		}
	}
	return moved
}
