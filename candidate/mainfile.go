package candidate

import (
	"bytes"
	"path"
	"path/filepath"

	"pidgeon/config"
	"pidgeon/dovecot/lint"
	"pidgeon/lazyregexp"
)

var (
	relativePath = lazyregexp.New(`(?m)^([ \t]*(?:!include(?:_try)?[ \t]+|\w+[ \t]*=[ \t]*<[ \t]*|\w*(?:cert|key|ca|dh)_file[ \t]*=[ \t]*))([^/\s$%"<].*?)([ \t\r]*)$`)
	versionLine  = lazyregexp.New(`(?m)^[ \t]*dovecot_(config|storage)_version[ \t]*=[ \t]*(\S+)[ \t\r]*$`)
)

// dovecotDir is the directory of a distribution's configuration.
const dovecotDir = "/etc/dovecot"

// rewriteForMainFile adapts the copies of overrides to their place in a generation: relative
// paths become absolute, and the version settings, which 2.4.1 takes in the main file alone,
// are returned for that.
func rewriteForMainFile(files config.Files) (brought config.OverrideDefinitions) {
	for i, f := range files {
		if !f.Override || path.Dir(f.Name) != "overrides" {
			continue
		}
		dir := filepath.Dir(f.Origin)
		data := relativePath.ReplaceAllFunc(f.Data, func(line []byte) []byte {
			m := relativePath.FindSubmatch(line)
			return bytes.Join([][]byte{m[1], []byte(wholePath(dir, string(m[2]))), m[3]}, nil)
		})
		files[i].Data = versionLine.ReplaceAllFunc(data, func(line []byte) []byte {
			m := versionLine.FindSubmatch(line)
			if version := string(m[2]); string(m[1]) == "config" {
				brought.ConfigVersion = version
			} else {
				brought.StorageVersion = version
			}
			return append([]byte("# in the main file: "), line...)
		})
	}
	return brought
}

// wholePath is the absolute path of a relative one in an override of dir: in dir, or else in
// dovecotDir if a file is there.
func wholePath(dir, relative string) string {
	beside := filepath.Join(dir, relative)
	if found := lint.Glob(beside); len(found) == 0 {
		if found = lint.Glob(filepath.Join(dovecotDir, relative)); len(found) > 0 {
			return filepath.Join(dovecotDir, relative)
		}
	}
	return beside
}
