package publish

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"pidgeon/config"
)

const (
	dirMode  = 0o750
	fileMode = 0o640
)

// Stage writes the complete directory Next() and returns its path. It is
// written aside: under its own path it is there whole or not at all. Nothing is
// synced, since the run directory does not outlive a crash of the host.
func (s *Store) Stage(files config.Files) (dir string, err error) {
	if err := checkNames(files); err != nil {
		return "", err
	}
	dir = s.Next()
	aside := s.aside(dir)
	err = s.write(aside, files)
	if err == nil {
		err = os.Rename(aside, dir)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("writing %s: %w", dir, err), os.RemoveAll(aside))
	}
	s.last++
	return dir, nil
}

// checkNames refuses what would land outside the generation, or on another of
// its files.
func checkNames(files config.Files) error {
	seen := map[string]bool{}
	for _, f := range files {
		switch {
		case f.Name == "." || !fs.ValidPath(f.Name):
			return fmt.Errorf("writing file %q: not a path inside the generation", f.Name)
		case seen[f.Name]:
			return fmt.Errorf("writing file %q: named twice", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func (s *Store) write(dir string, files config.Files) error {
	if err := os.Mkdir(dir, dirMode); err != nil {
		return err
	}
	for _, f := range files {
		grant := func(out *os.File) error { return s.grant(out.Name(), cmp.Or(f.Mode.Perm(), fileMode)) }
		if _, err := writeFile(filepath.Join(dir, f.Name), bytes.NewReader(f.Data), grant); err != nil {
			return err
		}
	}
	return eachDir(dir, func(name string) error { return s.grant(name, dirMode) })
}

// grant sets mode and owner, whatever our umask is.
func (s *Store) grant(name string, mode fs.FileMode) error {
	owner := -1
	if mode == config.AuthFileMode {
		owner = s.UID
	}
	// The mode first: who gives a file away may not change it without CAP_FOWNER.
	return errors.Join(os.Chmod(name, mode), os.Chown(name, owner, s.GID))
}

// writeFile makes a file that nobody else can read, and returns the digest of its
// data. What finish does comes before the file is closed.
func writeFile(name string, data io.Reader, finish func(*os.File) error) (sum string, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), data)
	return fmt.Sprintf("%x", h.Sum(nil)), errors.Join(err, finish(f), f.Close())
}

func eachDir(dir string, do func(name string) error) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return do(name)
	})
}
