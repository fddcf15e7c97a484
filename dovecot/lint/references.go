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

// pairs are the settings that belong together: 2.3's, then 2.4's.
var pairs = [...][2]string{
	{"ssl_cert", "ssl_key"},
	{"ssl_alt_cert", "ssl_alt_key"},
	{"ssl_server_cert_file", "ssl_server_key_file"},
	{"ssl_server_alt_cert_file", "ssl_server_alt_key_file"},
}

// Pairs are the certificates and keys that overrides name, each with its other
// half: that of the same section, or else the global one.
func (c *Config) Pairs() []Pair {
	var found []Pair
	seen := map[Pair]bool{}
	for s := range c.overrides {
		if !s.sets() {
			continue
		}
		if pair, ok := c.pair(s); ok && !seen[pair] {
			seen[pair] = true
			found = append(found, pair)
		}
	}
	return found
}

func (c *Config) pair(s *statement) (Pair, bool) {
	for _, names := range pairs {
		if s.key == names[0] || s.key == names[1] {
			cert, ok := c.settingIn(s.in, names[0])
			key, ok2 := c.settingIn(s.in, names[1])
			return Pair{cert, key}, ok && ok2
		}
	}
	return Pair{}, false
}

// settingIn finds the file that a setting names in a section, or else globally.
func (c *Config) settingIn(in *section, setting string) (Reference, bool) {
	for _, in := range []*section{in, nil} {
		if s := c.last(in, setting); s != nil && strings.HasPrefix(s.value, "/") {
			return Reference{s.value, s.file.Origin, s.last, s.file.Override}, true
		}
	}
	return Reference{}, false
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
