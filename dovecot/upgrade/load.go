package upgrade

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot/lint"
)

// Limits of a directory.
const (
	maxFiles = 1000
	maxDepth = 4
)

// Load upgrades the configuration at a path: that of a main file, or of a directory, by
// its dovecot.conf, or else all *.conf and *.conf.tmpl, which are overrides then.
func Load(path string) (before config.Files, after Result, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, after, err
	}
	dir, root := path, config.Main
	if !info.IsDir() {
		dir, root = filepath.Dir(path), filepath.Base(path)
	}
	if before, err = read(dir); err != nil {
		return nil, after, err
	}
	if len(before) == maxFiles && (info.IsDir() || before.Data(root) == nil) { // files left out would be missing for 2.4
		return nil, after, fmt.Errorf("%s has %d files and more: name the directory, or the main file, of a configuration", dir, maxFiles)
	}
	roots, whole := []string{root}, before.Data(root) != nil && (root == config.Main || alone(before.Data(root)))
	if before.Data(root) == nil {
		roots = nil
		for _, f := range before {
			if override := strings.TrimSuffix(f.Name, ".tmpl"); filepath.Ext(override) == ".conf" && !strings.Contains(override, "/") {
				roots = append(roots, f.Name)
			}
		}
	}
	after = Convert(before, roots, whole, func(name string) []byte { return ReadNamedFile(dir, name) })
	if info.IsDir() && !after.TooLarge {
		after.OtherFiles = slices.DeleteFunc(slices.Clone(before), func(f config.File) bool {
			return slices.Contains(after.MergedFiles, f.Name) || slices.ContainsFunc(after.Files, func(now config.File) bool { return now.Name == f.Name })
		})
	}
	return before, after, nil
}

// alone reports whether a file is a whole configuration, which sets protocols.
func alone(data []byte) bool {
	for words := range lint.ScanLines(data) {
		if words.Setting && words.Key == "protocols" {
			return true
		}
	}
	return false
}

func read(dir string) (files config.Files, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.Count(name, "/") >= maxDepth, len(files) == maxFiles:
			return fs.SkipDir
		}
		if data := regular(path); data != nil {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			files = append(files, config.File{Name: name, Origin: path, Mode: info.Mode().Perm(), Data: data})
		}
		return nil
	})
	slices.SortFunc(files, func(a, b config.File) int { return strings.Compare(a.Name, b.Name) })
	return files, err
}

// ReadNamedFile reads a file that a configuration in dir names, or the file in dir with its
// base name; nil if there is neither.
func ReadNamedFile(dir, name string) []byte {
	if data := regular(name); filepath.IsAbs(name) && data != nil {
		return data
	}
	return regular(filepath.Join(dir, filepath.Base(name)))
}

func regular(path string) []byte {
	data, problem := lint.ReadRegular(path)
	if problem != "" {
		return nil
	}
	return data
}
