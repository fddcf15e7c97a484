package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

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
	if err := s.write(aside, files); err != nil {
		return "", errors.Join(fmt.Errorf("writing %s: %w", dir, err), os.RemoveAll(aside))
	}
	if err := os.Rename(aside, dir); err != nil {
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
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if err := s.writeFile(root, f); err != nil {
			return err
		}
	}
	return s.grantDirs(root)
}

func (s *Store) writeFile(root *os.Root, f config.File) error {
	if err := root.MkdirAll(path.Dir(f.Name), dirMode); err != nil {
		return err
	}
	out, err := root.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	return errors.Join(err, s.grant(out, mode(f)), out.Close())
}

// mode is the file mode that a file gets.
func mode(f config.File) fs.FileMode {
	if f.Mode == 0 {
		return fileMode
	}
	return f.Mode.Perm()
}

// grant sets the mode whatever our umask is, once the group is right.
func (s *Store) grant(f *os.File, mode fs.FileMode) error {
	if s.GID >= 0 {
		if err := f.Chown(-1, s.GID); err != nil {
			return err
		}
	}
	return f.Chmod(mode)
}

func (s *Store) grantDirs(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		dir, err := root.Open(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		return s.grant(dir, dirMode)
	})
}
