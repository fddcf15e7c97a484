package dovecot

import (
	"strings"

	"pidgeon/finding"
)

// Pair are the files of a certificate and its key as an override names them.
type Pair struct {
	Certificate, Key Reference
}

// Reference is a file that a line names.
type Reference struct {
	Path string
	File string // the line's
	Line int
	Mine bool // the line is an override's
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
func (t Texts) Pairs() []Pair {
	statements := t.statements()
	var found []Pair
	seen := map[Pair]bool{}
	for _, s := range statements {
		if !s.text.Mine || !s.sets() {
			continue
		}
		if pair, ok := s.pair(statements); ok && !seen[pair] {
			seen[pair] = true
			found = append(found, pair)
		}
	}
	return found
}

func (s statement) pair(statements []statement) (Pair, bool) {
	for _, names := range pairs {
		if s.key != names[0] && s.key != names[1] {
			continue
		}
		cert, ok := besides(statements, s, names[0])
		key, ok2 := besides(statements, s, names[1])
		return Pair{cert, key}, ok && ok2
	}
	return Pair{}, false
}

// besides finds what a setting is where another one stands.
func besides(statements []statement, s statement, name string) (Reference, bool) {
	s.key = name
	for _, path := range []string{s.path(), name} {
		if found, ok := lastOf(statements, path); ok && strings.HasPrefix(found.value, "/") {
			return Reference{found.value, found.text.Origin, found.last, found.text.Mine}, true
		}
	}
	return Reference{}, false
}
