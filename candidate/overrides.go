package candidate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot/upgrade"
	"pidgeon/finding"
	"pidgeon/mount"
)

// readOverrides reads OVERRIDES_DIR. A missing directory is a fault if the running
// configuration has overrides, because a lost mount must not remove them.
func (in *Sources) readOverrides(live Live) {
	dir := string(in.Settings.OverridesDir)
	tree, err := mount.Read(dir)
	if errors.Is(err, fs.ErrNotExist) && !(live.Running && live.mounted()) {
		in.warn(finding.MissingFile, dir, "the directory does not exist: no overrides")
		err = nil
	}
	in.Overrides = tree
	in.noteReading(tree, err)
}

// noteReading notes what was wrong with a directory of the operator's.
func (in *Sources) noteReading(tree mount.Tree, err error) {
	in.torn, in.Faults = in.torn || errors.Is(err, mount.ErrUnstable), append(in.Faults, finding.Of(err)...)
	for _, ignored := range tree.Ignored {
		in.warn(finding.IgnoredFile, ignored.Path, "is ignored: "+ignored.Reason)
	}
}

// mounted reports whether the running configuration has files of OVERRIDES_DIR.
func (l Live) mounted() bool {
	for name := range l.Overrides {
		if name != config.Main && !strings.HasPrefix(name, config.OperatorConfigDir+"/") {
			return true
		}
	}
	return false
}

// carriedOver converts the files with an extension to 2.4: overrides, or a configuration
// that begins with its main file, or the output of templates. Each line that cannot be
// converted is a fault.
func (in *Sources) carriedOver(files config.Files, ext, dir string) config.Files {
	var roots []string
	whole := len(files) > 0 && files[0].Name == config.Main && ext == ".conf"
	for _, f := range files {
		if (filepath.Ext(f.Name) == ext || ext == ".tmpl" && filepath.Ext(f.Origin) == ext) && (!whole || len(roots) == 0) {
			roots = append(roots, f.Name)
		}
	}
	after := upgrade.Convert(files, roots, whole, func(path string) []byte { return upgrade.ReadNamedFile(dir, path) })
	in.Faults, in.MergedFiles = append(in.Faults, after.NotCarriedOver...), append(in.MergedFiles, after.MergedFiles...)
	in.Warnings = append(in.Warnings, after.Differences...)
	files = slices.Clone(files)
	for _, f := range after.Files {
		i := slices.IndexFunc(files, func(old config.File) bool { return old.Name == f.Name })
		if bytes.Equal(files[i].Data, f.Data) {
			continue
		}
		if files[i] = f; after.FullyCarriedOver(f) {
			n := after.CarriedOver[f.Origin]
			in.Warnings = append(in.Warnings, finding.Finding{
				Code: finding.CarriedOver, File: f.Origin, Warning: true,
				Problem: fmt.Sprintf("carried over from 2.3, %d settings", n), Hint: "pidgeon upgrade keeps it",
			})
			in.CarriedOver = append(in.CarriedOver, fmt.Sprintf("%s, %d settings", f.Origin, n))
		}
	}
	return files
}
