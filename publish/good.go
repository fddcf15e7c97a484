package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"pidgeon/config"
)

const goodLink = "last-good" // → last-good-12

// SaveGood copies the generation genDir to stateDir as the last good one. The
// copy is written beside the one before and synced, then one link is renamed:
// at every moment, and after a crash at any moment, the last good generation is
// complete or absent. Nobody else can read it; it holds keys and passwords.
func SaveGood(stateDir, genDir string) error {
	files, err := readTree(genDir)
	if err != nil {
		return fmt.Errorf("reading generation %s: %w", genDir, err)
	}
	if err := makeDirs(stateDir); err != nil {
		return fmt.Errorf("saving the last good generation: %w", err)
	}
	if err := replaceGood(stateDir, files); err != nil {
		return fmt.Errorf("saving the last good generation: %w", err)
	}
	return nil
}

// LoadGood returns the last good generation. Without one, ok is false and there
// is no error; if it is damaged, ok is false too, and the error says how.
func LoadGood(stateDir string) (files config.Files, ok bool, err error) {
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
func replaceGood(stateDir string, files config.Files) error {
	old := goodTarget(stateDir)
	if err := removeOthers(stateDir, old); err != nil {
		return err
	}
	name := nextName(old)
	if err := placeGood(stateDir, name, files); err != nil {
		return errors.Join(err, removeOthers(stateDir, old))
	}
	// Only with the link on disk may the one before go.
	if err := syncDir(stateDir); err != nil {
		return err
	}
	return removeOthers(stateDir, name)
}

func placeGood(stateDir, name string, files config.Files) error {
	if err := writeCopy(filepath.Join(stateDir, name), files); err != nil {
		return err
	}
	if err := syncDir(stateDir); err != nil {
		return err
	}
	return renameio.Symlink(name, filepath.Join(stateDir, goodLink))
}

// goodTarget is empty if there is no last good generation.
func goodTarget(stateDir string) string {
	target, _ := os.Readlink(filepath.Join(stateDir, goodLink))
	return target
}

func nextName(old string) string {
	n, _ := strconv.Atoi(strings.TrimPrefix(old, goodLink+"-"))
	return goodLink + "-" + strconv.Itoa(n+1)
}

// removeOthers removes every copy but keep, and links that were not finished.
func removeOthers(stateDir, keep string) error {
	return removeLeftovers(stateDir, func(name string) bool {
		isCopy := strings.HasPrefix(name, goodLink+"-")
		return isCopy && name != keep || strings.HasPrefix(name, hidden+goodLink)
	})
}
