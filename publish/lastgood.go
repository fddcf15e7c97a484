package publish

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"pidgeon/config"
)

const (
	goodLink     = "last-good" // → last-good-12
	manifestName = "manifest.json"
	filesDir     = "files" // apart from the manifest: a file may have its name
)

// SaveLastGood copies the generation genDir to stateDir as the last good one. The
// copy is written beside the one before and synced, then one link is renamed:
// at every moment, and after a crash at any moment, the last good generation is
// complete or absent. Nobody else can read it; it holds keys and passwords. The files
// beside it are kept with it.
func SaveLastGood(stateDir, genDir string, beside ...config.File) error {
	generation, err := os.OpenRoot(genDir)
	if err == nil {
		defer generation.Close()
		err = replaceGood(stateDir, generation, beside)
	}
	if err != nil {
		return fmt.Errorf("saving the last good generation: %w", err)
	}
	return nil
}

// LoadLastGood returns the last good generation. Without one, ok is false and there
// is no error; if it is damaged, ok is false too, and the error says how.
func LoadLastGood(stateDir string) (files config.Files, ok bool, err error) {
	root, err := os.OpenRoot(filepath.Join(stateDir, goodLink))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil {
		defer root.Close()
		files, err = readCopy(root)
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the last good generation: %w", err)
	}
	return files, true, nil
}

// replaceGood clears leftovers before it writes: they may be what fills the
// disk.
func replaceGood(stateDir string, generation *os.Root, beside config.Files) error {
	if err := makeDirs(stateDir); err != nil {
		return err
	}
	// old is empty if there is no last good generation.
	old, _ := os.Readlink(filepath.Join(stateDir, goodLink))
	if err := removeOthers(stateDir, old); err != nil {
		return err
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(old, goodLink+"-"))
	name := goodLink + "-" + strconv.Itoa(n+1)
	if err := placeGood(stateDir, name, generation, beside); err != nil {
		return errors.Join(err, removeOthers(stateDir, old))
	}
	// Only with the link on disk may the one before go.
	if err := syncDir(stateDir); err != nil {
		return err
	}
	return removeOthers(stateDir, name)
}

func placeGood(stateDir, name string, generation *os.Root, beside config.Files) error {
	if err := writeCopy(filepath.Join(stateDir, name), generation, beside); err != nil {
		return err
	}
	if err := syncDir(stateDir); err != nil {
		return err
	}
	return renameio.Symlink(name, filepath.Join(stateDir, goodLink))
}

// removeOthers removes every copy but keep, and links that were not finished.
func removeOthers(stateDir, keep string) error {
	return removeLeftovers(stateDir, func(name string) bool {
		isCopy := strings.HasPrefix(name, goodLink+"-")
		return isCopy && name != keep || strings.HasPrefix(name, hidden+goodLink)
	})
}

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

// writeCopy copies a generation, file by file: together they may be larger than what a
// process should hold. By the handle it stays with one generation, even if its path
// was the link and moves.
func writeCopy(dir string, generation *os.Root, beside config.Files) error {
	var list manifest
	add := func(name string, mode fs.FileMode, data io.Reader) error {
		sum, err := writeFile(filepath.Join(dir, filesDir, name), data, (*os.File).Sync)
		list.Files = append(list.Files, manifestFile{name, mode, sum})
		return err
	}
	err := fs.WalkDir(generation.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return copyFile(generation, name, add)
	})
	for _, f := range beside {
		err = errors.Join(err, add(f.Name, cmp.Or(f.Mode.Perm(), fileMode), bytes.NewReader(f.Data)))
	}
	data, err2 := json.Marshal(list)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if _, err := writeFile(filepath.Join(dir, manifestName), bytes.NewReader(data), (*os.File).Sync); err != nil {
		return err
	}
	// Syncing a file says nothing of its name: that is in the directory.
	return eachDir(dir, syncDir)
}

func copyFile(generation *os.Root, name string, add func(name string, mode fs.FileMode, data io.Reader) error) error {
	info, err := generation.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	f, err := generation.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return add(name, info.Mode().Perm(), f)
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
		if fmt.Sprintf("%x", sha256.Sum256(data)) != want.SHA256 {
			return nil, fmt.Errorf("%s is not what was saved", want.Name)
		}
		files = append(files, config.File{Name: want.Name, Data: data, Mode: want.Mode})
	}
	return files, checkNames(files)
}
