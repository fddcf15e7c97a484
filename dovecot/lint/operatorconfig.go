package lint

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// OperatorConfig is the operator's whole configuration, which replaces pidgeon's templates.
type OperatorConfig struct {
	Files    config.Files // copies for a generation, the main file first
	Included []string     // files that are included, or would be if they were there
	Dirs     []string     // that patterns of included files look into
}

// ReadOperatorConfig reads the configuration main with all files that it includes. The copies
// include one another, and name other files by absolute paths; lines keep their numbers.
func ReadOperatorConfig(main string) (own OperatorConfig, found finding.List) {
	data, problem := ReadRegular(main)
	if data == nil && problem == "" {
		_, err := os.ReadFile(main)
		problem = "cannot be read: " + cmp.Or(errors.Unwrap(err), errors.New("it is empty")).Error()
	}
	if problem != "" {
		return own, finding.List{{
			Code: finding.UnreadableFile, File: main, Problem: "the configuration " + problem,
			Hint: "name the main file of a Dovecot configuration in DOVECOT_CONF",
		}}
	}
	c := newConfig(newIncludedFiles())
	c.add(config.File{Origin: main, Override: true, Data: data}, main)
	c.readAll()
	for _, f := range c.byPath {
		// The copies may hold passwords, and root alone reads them.
		copied := config.File{Name: config.OperatorConfigDir + f.path, Origin: f.path, Override: true, Mode: 0o600}
		if f.path == main {
			copied.Name = config.Main
		}
		copied.Data = f.copyContents(copied.Name)
		own.Files = append(own.Files, copied)
		own.noteIncludes(f)
	}
	slices.SortFunc(own.Files, func(a, b config.File) int { return c.order[a.Origin] - c.order[b.Origin] })
	return own, c.included.overflow
}

func (o *OperatorConfig) noteIncludes(f *file) {
	o.Included = append(o.Included, f.path)
	for _, s := range f.statements {
		if s.kind != include {
			continue
		}
		for _, path := range alternatives(s.included()) {
			if i := strings.IndexAny(path, "*?["); i >= 0 {
				o.Dirs = append(o.Dirs, filepath.Dir(path[:i]+"x"))
			} else {
				o.Included = append(o.Included, path)
			}
		}
	}
}

// copyContents is the content of a file, adapted so that it means the same in a copy with
// that name.
func (f *file) copyContents(name string) []byte {
	lines := bytes.Split(f.Data, []byte("\n"))
	for _, s := range f.statements {
		text := s.rewrittenPath(filepath.Dir(name))
		if text == "" {
			continue
		}
		for n := s.first; n < s.last; n++ {
			lines[n-1] = nil
		}
		lines[s.last-1] = []byte(text)
	}
	return bytes.Join(lines, []byte("\n"))
}

// rewrittenPath is a statement with its path adapted to a copy in dir, empty if it stays.
// Dovecot takes a relative path from the file that names it (2.3.19, 2.4.1:
// fix_relative_path).
func (s *statement) rewrittenPath(dir string) string {
	switch {
	case s.kind == include:
		path, err := filepath.Rel(dir, config.OperatorConfigDir+s.included())
		if err != nil {
			return ""
		}
		return s.key + " " + path
	case filepath.IsAbs(s.value) || s.value == "":
	case s.kind == fromFile && s.value[0] != '<': // else 2.4 reads on to a word at the beginning of a line
		return s.key + " = <" + s.wholePath()
	case s.kind == assignment && strings.HasSuffix(s.key, "_file"): // of 2.4
		if _, err := os.Stat(s.wholePath()); err == nil || pemFile.MatchString(s.key) && !strings.ContainsAny(s.value, "$%") {
			return s.key + " = " + s.wholePath()
		}
	}
	return ""
}

// pemFile matches the settings of 2.4 that always name a file, which Dovecot reads at once.
var pemFile = lazyregexp.New(`(?:cert|key|ca|dh)_file$`)

// wholePath is the absolute path of a relative value.
func (s *statement) wholePath() string { return filepath.Join(filepath.Dir(s.file.path), s.value) }
