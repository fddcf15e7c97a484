package mount

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	confSuffix = ".conf"
	tmplSuffix = ".tmpl"
)

// isConf accepts blanks around the name: they are invisible, so the operator
// must be told about them rather than about a suffix that looks right.
func isConf(name string) bool {
	name = strings.TrimSpace(name)
	return strings.HasSuffix(strings.TrimSuffix(name, tmplSuffix), confSuffix)
}

// vimProbe is the file vim creates to learn whether it may write to a directory.
const vimProbe = "4913"

// leftover says why a name alone disqualifies an entry, or nothing.
func leftover(name string) string {
	switch {
	case strings.HasPrefix(name, ".#"), name == vimProbe, hasSuffix(name, "~", ".swp", ".swo", ".swx"):
		return "left by an editor"
	case strings.HasPrefix(name, "."):
		return "hidden file"
	case hasSuffix(name, ".bak", ".orig", ".old", ".rej",
		".dpkg-dist", ".dpkg-old", ".dpkg-new", ".rpmnew", ".rpmsave"):
		return "backup copy"
	}
	return ""
}

func hasSuffix(name string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// wild are the bytes that Dovecot may take for more than a name in the path of
// an "!include": a pattern, a quotation, an escape, a comment. Dovecot 2.3 cuts
// the path at "#" and finds no file where braces or a backslash occur.
const wild = "*?[]{}\"\\#"

// nameFault refuses names that cannot stand in an "!include" line.
func nameFault(name string) error {
	for _, c := range []byte(name) {
		switch {
		case c < ' ' || c == 0x7f:
			return fmt.Errorf("the name contains the control character %#02x, rename the file", c)
		case strings.IndexByte(wild, c) >= 0:
			return fmt.Errorf("the name contains %q, which Dovecot would interpret, rename the file", c)
		}
	}
	if strings.TrimSpace(name) != name {
		return errors.New("the name begins or ends with a blank, rename the file")
	}
	return nil
}
