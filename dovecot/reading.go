package dovecot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// reading goes through a configuration in the order in which Dovecot does, from
// the main file into what it includes.
type reading struct {
	texts   Texts
	out     []statement
	scope   []string
	open    []int // the sections that are open, as places in out
	read    map[string]bool
	unnamed int
}

// statements are all statements of a configuration in the order Dovecot reads
// them. A file that an override includes from elsewhere counts as an override.
func (t Texts) statements() []statement {
	r := &reading{texts: t, read: map[string]bool{}}
	for i := range t {
		if !r.read[t[i].Path] {
			r.file(&t[i])
		}
	}
	return r.out
}

// file reads one file. A section that it leaves open ends with it: what follows
// is to be understood as it was meant.
func (r *reading) file(text *Text) {
	r.read[text.Path] = true
	depth := len(r.open)
	joined, first := "", 0
	for i, line := range strings.Split(string(text.Data), "\n") {
		line = uncommented(line)
		if first == 0 {
			first = i + 1
		}
		if before, more := strings.CutSuffix(line, "\\"); more {
			joined += strings.TrimRight(before, " \t") + " "
			continue
		}
		if line = strings.TrimLeft(joined+line, " "); line != "" {
			s := parseLine(line)
			s.text, s.first, s.last = text, first, i+1
			r.statement(s, depth)
		}
		joined, first = "", 0
	}
	r.leave(depth)
}

func (r *reading) leave(depth int) {
	if len(r.open) > depth {
		r.open, r.scope = r.open[:depth], r.scope[:depth]
	}
}

func (r *reading) statement(s statement, depth int) {
	s.scope = r.scope[:len(r.scope):len(r.scope)]
	r.out = append(r.out, s)
	switch {
	case s.kind == opening, s.kind == oneLine && strings.Count(s.raw, "{") > strings.Count(s.raw, "}"):
		r.open = append(r.open, len(r.out)-1)
		r.scope = append(s.scope, r.named(s))
	case s.kind == closing && len(r.open) > depth:
		r.out[r.open[len(r.open)-1]].end = s.last
		r.leave(len(r.open) - 1)
	case s.kind == include:
		r.include(s)
	}
}

// named gives sections that never merge a number each: 2.3 has any number of
// passdb { }.
func (r *reading) named(s statement) string {
	if s.value == "" && (s.key == "passdb" || s.key == "userdb" || s.key == "namespace") {
		r.unnamed++
		return fmt.Sprintf("%s #%d", s.key, r.unnamed)
	}
	return s.section()
}

// maxIncluded bounds the size of a file that is included from elsewhere, in bytes.
const maxIncluded = 1 << 20

func (r *reading) include(s statement) {
	pattern := s.value
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(s.text.Path), pattern)
	}
	for i := range r.texts {
		if matched, _ := filepath.Match(pattern, r.texts[i].Path); matched && !r.read[r.texts[i].Path] {
			r.file(&r.texts[i])
		}
	}
	found, _ := filepath.Glob(pattern)
	for _, path := range found {
		if !r.read[path] {
			r.elsewhere(path, s.text.Mine)
		}
	}
}

func (r *reading) elsewhere(path string, mine bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxIncluded { // a FIFO would be waited for
		return
	}
	if data, err := os.ReadFile(path); err == nil {
		r.file(&Text{Path: path, Origin: path, Mine: mine, Data: data})
	}
}
