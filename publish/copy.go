package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"pidgeon/config"
)

const (
	manifestName = "manifest.json"
	filesDir     = "files" // apart from the manifest: a file may have its name
)

// manifest lists what a copy must hold. JSON cut short does not parse, so a
// torn manifest is not taken for a shorter one.
type manifest struct {
	Files []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string      `json:"name"`
	Mode   fs.FileMode `json:"mode"`
	SHA256 string      `json:"sha256"`
}

// readTree reads a generation. By the handle it stays with one generation, even
// if dir is the link and moves.
func readTree(dir string) (files config.Files, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		f, err := readFile(root, name)
		files = append(files, f)
		return err
	})
	return files, err
}

func readFile(root *os.Root, name string) (config.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return config.File{}, err
	}
	if !info.Mode().IsRegular() {
		return config.File{}, fmt.Errorf("%s is not a regular file", name)
	}
	data, err := root.ReadFile(name)
	return config.File{Name: name, Data: data, Mode: info.Mode().Perm()}, err
}

func writeCopy(dir string, files config.Files) error {
	var list manifest
	for _, f := range files {
		list.Files = append(list.Files, manifestFile{f.Name, mode(f), digest(f.Data)})
		if err := writeSynced(filepath.Join(dir, filesDir, f.Name), f.Data); err != nil {
			return err
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(dir, manifestName), data); err != nil {
		return err
	}
	return syncDirs(dir)
}

func writeSynced(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDirs puts the names on disk; syncing a file says nothing of its name.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return syncDir(name)
	})
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	// Some network file systems cannot sync directories and say EINVAL.
	if err := dir.Sync(); !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// readCopy returns all of a copy or nothing.
func readCopy(root *os.Root) (config.Files, error) {
	data, err := root.ReadFile(manifestName)
	if err != nil {
		return nil, err
	}
	var list manifest
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("reading %s: %w", manifestName, err)
	}
	files := make(config.Files, 0, len(list.Files))
	for _, want := range list.Files {
		data, err := root.ReadFile(path.Join(filesDir, want.Name))
		if err != nil {
			return nil, err
		}
		if digest(data) != want.SHA256 {
			return nil, fmt.Errorf("%s is not what was saved", want.Name)
		}
		files = append(files, config.File{Name: want.Name, Data: data, Mode: want.Mode})
	}
	return files, checkNames(files)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
