package candidate

import (
	"bytes"
	"path"
	"path/filepath"
	"regexp"

	"pidgeon/config"
)

var (
	relativePath = regexp.MustCompile(`(?m)^([ \t]*(?:!include(?:_try)?[ \t]+|\w+[ \t]*=[ \t]*<[ \t]*))([^/\s].*?)([ \t\r]*)$`)
	versionLine  = regexp.MustCompile(`(?m)^[ \t]*dovecot_(config|storage)_version[ \t]*=[ \t]*(\S+)[ \t\r]*$`)
)

// dovecotDir is where a configuration that was written for a Dovecot without pidgeon lies.
const dovecotDir = "/etc/dovecot"

// rewriteForMainFile changes the copies of overrides so that they mean what they mean where the
// operator has them: relative paths become whole ones, and the versions that 2.4 wants
// in the main file, and nowhere else (2.4.1), go there.
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

// wholePath is the path that a relative one in an override of dir stands for: beside it, or
// else where Dovecot keeps its own files.
func wholePath(dir, relative string) string {
	beside := filepath.Join(dir, relative)
	if found, _ := filepath.Glob(beside); len(found) == 0 {
		if found, _ = filepath.Glob(filepath.Join(dovecotDir, relative)); len(found) > 0 {
			return filepath.Join(dovecotDir, relative)
		}
	}
	return beside
}
