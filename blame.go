package main

import (
	"crypto/sha256"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/finding"
	"pidgeon/render"
)

// overrideDigests tell which overrides a configuration has.
func overrideDigests(files render.Files) map[string][sha256.Size]byte {
	digests := map[string][sha256.Size]byte{}
	for _, f := range files {
		if filepath.Dir(f.Name) == "overrides" {
			digests[f.Origin] = sha256.Sum256(f.Data)
		}
	}
	return digests
}

// blame names a file for findings that Dovecot names none for: what runs was
// fine, so it is the one override that differs from it, if it is one.
func (b builder) blame(err error, files render.Files) error {
	var found finding.List
	if !errors.As(err, &found) {
		return err
	}
	var changed []string
	for origin, digest := range overrideDigests(files) {
		if b.running[origin] != digest {
			changed = append(changed, origin)
		}
	}
	if len(changed) != 1 {
		return err
	}
	found = slices.Clone(found)
	for i := range found {
		// Dovecot blames the main file for what is wrong with the whole.
		if whole := found[i].Line == 0 && strings.HasPrefix(found[i].File, "template "); whole || found[i].File == "" {
			found[i].File = changed[0]
		}
	}
	return found
}
