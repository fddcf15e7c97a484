package lint

import (
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/finding"
)

// Pair are the files of a certificate and its key as an override names them.
type Pair struct {
	Certificate, Key Reference
}

// Reference is a file that a line names.
type Reference struct {
	Path     string
	File     string // that the line is in
	Line     int
	Override bool // the line is one's
}

// Problem blames the line for what is wrong with the file that it names.
func (r Reference) Problem(f finding.Finding) finding.Finding {
	if f.File == r.Path {
		f.Problem = r.Path + ": " + f.Problem
	}
	f.File, f.Line = r.File, r.Line
	return f
}

// Pairs are the certificates and keys that overrides name, each with its other
// half: that of the same section, or else the global one.
func (c *Config) Pairs() []Pair {
	var found []Pair
	seen := map[Pair]bool{}
	for s := range c.overrides {
		for _, names := range table()["pairs"] {
			if !s.sets() || !slices.Contains(names, s.key) {
				continue
			}
			pair := Pair{c.named(s.in, names[0]), c.named(s.in, names[1])}
			if pair.Certificate.Path != "" && pair.Key.Path != "" && !seen[pair] {
				seen[pair], found = true, append(found, pair)
			}
		}
	}
	return found
}

// named is the file that a setting names in a section, or else globally.
func (c *Config) named(in *section, setting string) (r Reference) {
	for _, in := range []*section{nil, in} {
		if s := c.last(in, setting); s != nil && strings.HasPrefix(s.value, "/") {
			r = Reference{s.value, s.file.Origin, s.last, s.file.Override}
		}
	}
	return r
}

// References are the files that overrides name and Dovecot reads at a reload
// alone: certificates, keys, included files. Files it looks at by itself, such as
// a passwd-file, are not among them.
func (c *Config) References() []string {
	var paths []string
	for s := range c.overrides {
		path := ""
		switch {
		case s.kind == fromFile: // ssl_cert = </path (2.3)
			path = strings.Trim(s.value, `"`)
		case s.kind == assignment && strings.HasSuffix(s.key, "_file"): // ssl_server_cert_file = /path (2.4)
			path = s.value
		case s.kind == include && (filepath.IsAbs(s.value) || s.file.Name == ""):
			path = s.included()
			if i := strings.IndexAny(path, "*?["); i >= 0 {
				path = path[:i] // of a pattern, what it begins with
			}
		}
		if filepath.IsAbs(path) {
			paths = append(paths, filepath.Clean(path))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
