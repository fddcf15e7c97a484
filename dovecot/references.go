package dovecot

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// References are the files that overrides name and Dovecot reads at a reload
// alone: certificates, keys, included files. Files it looks at by itself, such as
// a passwd-file, are not among them.
func (t Texts) References() []string {
	var paths []string
	for _, text := range t {
		if !text.Mine {
			continue
		}
		for line := range strings.Lines(string(text.Data)) {
			if m := reference.FindStringSubmatch(line); m != nil {
				paths = append(paths, filepath.Clean(strings.Trim(m[1], `"`)))
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// reference matches "ssl_cert = </path" (2.3), "ssl_server_cert_file = /path"
// (2.4) and "!include /path".
var reference = regexp.MustCompile(`^\s*(?:\w+\s*=\s*<|\w+_file\s*=\s*|!include(?:_try)?\s+)("?/[^#*?\[\s]+)`)
