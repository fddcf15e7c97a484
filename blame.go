package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
)

// overrideDigests tell which overrides a configuration has.
func overrideDigests(files config.Files) map[string]config.Sum {
	digests := map[string]config.Sum{}
	for _, f := range files {
		if path.Dir(f.Name) == "overrides" {
			digests[f.Name] = sha256.Sum256(f.Data)
		}
	}
	return digests
}

// blame names a file for an error that names none.
func (b builder) blame(err error, files config.Files) error {
	var found finding.List
	if errors.As(err, &found) {
		return b.attribute(found, files)
	}
	if file, ok := b.culprit(files); ok && (errors.Is(err, dovecot.ErrSlow) || errors.Is(err, dovecot.ErrBackend)) {
		return fmt.Errorf("%s: %w", file, err)
	}
	return err
}

// attribute names a file for findings that Dovecot names none for.
func (b builder) attribute(found finding.List, files config.Files) finding.List {
	file, ok := b.culprit(files)
	if !ok {
		return found
	}
	found = slices.Clone(found)
	for i := range found {
		// Dovecot blames the main file for what is wrong with the whole.
		if whole := found[i].Line == 0 && strings.HasPrefix(found[i].File, "template "); whole || found[i].File == "" {
			found[i].File = file
		}
	}
	return found
}

// culprit is the one override that differs from what runs, if it is one: what
// runs was fine.
func (b builder) culprit(files config.Files) (origin string, ok bool) {
	changed := 0
	for _, f := range files {
		digest, mine := overrideDigests(config.Files{f})[f.Name]
		if mine && b.running[f.Name] != digest {
			origin, changed = f.Origin, changed+1
		}
	}
	return origin, changed == 1
}
