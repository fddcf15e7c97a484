package lint

import (
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// CertificatePair are the files of a certificate and its key as an override names them.
type CertificatePair struct {
	Certificate, Key Reference
}

// Reference is a path in a line.
type Reference struct {
	Path     string
	File     string // that the line is in
	Line     int
	Override bool // the line is an override's
}

// Blame moves a finding about the file to the line that names it.
func (r Reference) Blame(f finding.Finding) finding.Finding {
	if f.File == r.Path {
		f.Problem = r.Path + ": " + f.Problem
	}
	f.File, f.Line = r.File, r.Line
	return f
}

// CertificatePairs are the certificates and keys that overrides name, each with its other
// half: that of the same section, or else the global one.
func (c *Config) CertificatePairs() []CertificatePair {
	var found []CertificatePair
	seen := map[CertificatePair]bool{}
	for s := range c.overrides {
		for _, names := range TableRows("pairs") {
			if !s.sets() || !slices.Contains(names, s.key) {
				continue
			}
			pair := CertificatePair{c.named(s.in, names[0]), c.named(s.in, names[1])}
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
// alone: certificates, keys, included files, and those with settings of SQL, LDAP,
// dictionaries and OAuth2.
func (c *Config) References() []string {
	return c.paths(func(s *statement) []string {
		switch {
		case s.kind == fromFile: // ssl_cert = </path (2.3)
			return []string{strings.Trim(s.value, `"`)}
		case s.kind == assignment && strings.HasSuffix(s.key, "_file"): // ssl_server_cert_file = /path (2.4)
			return []string{s.value}
		case s.kind == include && (filepath.IsAbs(s.value) || s.file.Name == ""):
			path := s.included()
			matching := c.included.glob(path)
			if i := strings.IndexAny(path, "*?["); i >= 0 {
				path = path[:i] // of a pattern, what it begins with
			}
			return append(slices.Clip(matching), path)
		case c.inUserDatabase(s) && !c.isPasswdFile(s): // args = file=/path (2.3)
			return named(s.value)
		case s.kind == assignment && s.within("dict") && !strings.HasPrefix(s.value, "proxy:"): // name = mysql:/path (2.3)
			return named(s.value)
		}
		return nil
	})
}

// FilesDovecotWatches are files of overrides that Dovecot rereads without a reload: lists of
// users, and Sieve scripts.
func (c *Config) FilesDovecotWatches() []string {
	return c.paths(func(s *statement) []string {
		switch {
		case s.kind != assignment:
		case s.script() != "":
			scripts := Glob(filepath.Join(s.script(), "*.sieve")) // a directory may be named
			return append(scripts, s.script())
		case s.key == "passwd_file_path", c.inUserDatabase(s) && c.isPasswdFile(s):
			return named(s.value)
		}
		return nil
	})
}

// SieveScripts are the Sieve scripts, and directories of such, that overrides name.
func (c *Config) SieveScripts() (found []Reference) {
	for s := range c.overrides {
		if path := s.script(); path != "" && s.kind == assignment {
			found = append(found, Reference{path, s.file.Origin, s.last, true})
		}
	}
	return found
}

// sieveScript are settings that name a script, or a directory of them.
var sieveScript = map[string]*lazyregexp.Regexp{
	"plugin":       lazyregexp.New(`^(?:sieve(?:_before|_after|_default|_global|_discard)?\d*|imapsieve_mailbox\d+_(?:before|after))$`), // 2.3
	"sieve_script": lazyregexp.New(`^(?:sieve_script_)?(?:active_)?path$`),                                                              // 2.4
}

// script is the whole path of scripts that the statement names, if it does: of
// file:/path;active=~/x. Others are those of a user.
func (s *statement) script() string {
	named := sieveScript[s.around()]
	path, _, _ := strings.Cut(strings.TrimPrefix(s.value, "file:"), ";")
	if named == nil || !named.MatchString(s.key) || !filepath.IsAbs(path) || strings.ContainsAny(path, "%$") {
		return ""
	}
	return filepath.Clean(path)
}

func (c *Config) inUserDatabase(s *statement) bool {
	return s.kind == assignment && s.key == "args" && (s.within("passdb") || s.within("userdb"))
}

func (c *Config) isPasswdFile(s *statement) bool {
	driver := c.last(s.in, "driver")
	return driver != nil && driver.value == "passwd-file"
}

// named are the whole paths in a value: of mysql:/path, file=/path;active=~/x and
// scheme=PLAIN /path. What depends on the user is none.
func named(value string) (paths []string) {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t:=;", r) }) {
		if !strings.ContainsAny(word, "%$") {
			paths = append(paths, word)
		}
	}
	return paths
}

// paths are the whole paths among what statements of overrides name.
func (c *Config) paths(of func(*statement) []string) []string {
	var paths []string
	for s := range c.overrides {
		for _, path := range of(s) {
			if filepath.IsAbs(path) {
				paths = append(paths, filepath.Clean(path))
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
