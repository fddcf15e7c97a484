package lint

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// reader reads a configuration in Dovecot's order, from the main file into its includes.
type reader struct {
	*Config
	in      *section
	open    []*statement   // the sections that are open
	unnamed map[string]int // sections, by their kind
}

// file reads one file. A section that it leaves open ends with it, so that later files are
// understood as they were meant.
func (r *reader) file(f *file) {
	f.read = true
	r.order[f.Origin] = cmp.Or(r.order[f.Origin], len(r.order)+1)
	depth := len(r.open)
	for s := range logicalLines(f.Data) {
		s.file = f
		r.statement(s, depth)
	}
	r.leave(depth)
}

// logicalLines splits a file into statements; lines that a \ joins are one.
func logicalLines(data []byte) iter.Seq[*statement] {
	return func(yield func(*statement) bool) {
		var joined []byte
		first := 0
		for i, line := range strings.Split(string(data), "\n") {
			line = uncommented(line)
			if first == 0 {
				first = i + 1
			}
			if before, more := strings.CutSuffix(line, "\\"); more {
				joined = append(append(joined, strings.TrimRight(before, " \t")...), ' ')
				continue
			}
			if len(joined) > 0 {
				line = string(append(joined, line...))
			}
			if line = strings.TrimLeft(line, " "); line != "" {
				s := parseLine(line)
				s.first, s.last = first, i+1
				if !yield(&s) {
					return
				}
			}
			joined, first = nil, 0
		}
	}
}

func (r *reader) leave(depth int) {
	if len(r.open) > depth {
		r.open, r.in = r.open[:depth], r.open[depth].in
	}
}

var mention = lazyregexp.New(`\$(?:SET:)?(\w+)`)

func (r *reader) statement(s *statement, depth int) {
	s.in, s.at = r.in, len(r.statements)
	r.statements, s.file.statements = append(r.statements, s), append(s.file.statements, s)
	if s.sets() || s.kind == opening {
		r.setters[s.target()] = append(r.setters[s.target()], s)
	}
	if strings.Contains(s.raw, "$") {
		for _, m := range mention.FindAllStringSubmatch(s.raw, -1) {
			r.mentions[m[1]] = append(r.mentions[m[1]], s.at)
		}
	}
	switch {
	case s.kind == opening, s.kind == oneLine && strings.Count(s.raw, "{") > strings.Count(s.raw, "}"):
		r.enter(s)
	case s.kind == closing && len(r.open) > depth:
		r.open[len(r.open)-1].end = s.last
		r.leave(len(r.open) - 1)
	case s.kind == include:
		r.include(s)
	}
}

// deepest bounds the nesting of sections, to keep full names short; Dovecot's own nest four
// deep. Deeper statements count as those of the last section.
const deepest = 32

// enter opens a section. Unnamed sections that do not merge, such as passdb { } of 2.3, get
// numbers.
func (r *reader) enter(s *statement) {
	r.open = append(r.open, s)
	if len(r.open) > deepest {
		return
	}
	in := section{around: s.in, kind: s.key, name: s.name}
	if in.name == "" && dovecot.UnnamedSectionsAddUp(s.key) {
		r.unnamed[s.key]++
		in.number = r.unnamed[s.key]
	}
	if r.sections[in] == nil {
		r.sections[in] = &in
	}
	r.in = r.sections[in]
}

func (r *reader) include(s *statement) {
	pattern := s.included()
	if boundless(pattern) {
		r.included.refuse(s, fmt.Sprintf("the pattern, with more than %d braces or %d commas, stands for too many files", maxBraces, maxCommas))
		return
	}
	for _, f := range r.files {
		if matches(pattern, f.path) && !f.read {
			r.file(f)
		}
	}
	found := r.included.glob(pattern)
	if r.included.walk.over() {
		r.included.refuse(s, fmt.Sprintf("the pattern looks through more than %d files and directories", maxEntries))
		return
	}
	for _, path := range found {
		if r.byPath[path] != nil {
			continue
		}
		if found := r.included.load(path, s); found != nil {
			f := &file{File: *found, path: path}
			r.byPath[path] = f
			r.file(f)
		}
	}
}

// included is the pattern of the files that a statement includes.
func (s *statement) included() string {
	if filepath.IsAbs(s.value) {
		return s.value
	}
	return s.wholePath()
}

// includedFiles are files from outside of the configuration. They are bounded as those of a
// mount are, and read once, so that all checks see the same contents.
type includedFiles struct {
	files    map[string]*config.File // nil for what cannot be read: Dovecot says so
	globs    map[string][]string
	walk     walk
	count    int
	bytes    int
	overflow finding.List // what is too much, after which nothing more is read
}

const (
	maxFile  = 1 << 20
	maxFiles = 256
	maxTotal = 8 << 20
	// maxEntries is how many names patterns look at, which takes some 50 ms.
	maxEntries = 50_000
)

func newIncludedFiles() *includedFiles {
	return &includedFiles{files: map[string]*config.File{}, globs: map[string][]string{}}
}

func (e *includedFiles) glob(pattern string) []string {
	found, known := e.globs[pattern]
	if !known {
		for _, one := range alternatives(pattern) {
			all := e.walk.glob(one)
			found = append(found, slices.DeleteFunc(all, func(path string) bool { return !matches(one, path) })...)
		}
		e.globs[pattern] = found
	}
	return found
}

// matches is fnmatch(3) as in glob(3): a name that begins with a dot matches only a pattern
// that does.
func matches(pattern, path string) bool {
	return slices.ContainsFunc(alternatives(pattern), func(one string) bool {
		matched, _ := filepath.Match(one, path)
		return matched && strings.HasPrefix(filepath.Base(path), ".") == strings.HasPrefix(filepath.Base(one), ".")
	})
}

// What a pattern may hold: each pair of braces multiplies the patterns that it stands for,
// which Dovecot looks for too.
const (
	maxBraces = 4
	maxCommas = 32
)

func boundless(pattern string) bool {
	n := strings.Count(pattern, "{")
	return n > maxBraces || n > 0 && strings.Count(pattern, ",") > maxCommas
}

// alternatives expands the braces of a pattern, because Dovecot calls glob(3) with GLOB_BRACE
// (2.3.19, 2.4.1: config-parser.c).
func alternatives(pattern string) []string {
	open := strings.LastIndexByte(pattern, '{')
	if open < 0 || boundless(pattern) {
		return []string{pattern}
	}
	inside, after, closed := strings.Cut(pattern[open+1:], "}")
	if !closed {
		return []string{pattern}
	}
	var all []string
	for one := range strings.SplitSeq(inside, ",") {
		all = append(all, alternatives(pattern[:open]+one+after)...)
	}
	return all
}

func (e *includedFiles) load(path string, s *statement) *config.File {
	f, known := e.files[path]
	if known || len(e.overflow) > 0 {
		return f
	}
	data, problem := ReadRegular(path)
	e.count++
	e.bytes += len(data)
	switch {
	case problem != "":
	case e.count > maxFiles:
		problem = fmt.Sprintf("is more than the %d files that may be included", maxFiles)
	case e.bytes > maxTotal:
		problem = fmt.Sprintf("is too much: what is included is larger than %d MiB together", maxTotal>>20)
	}
	if problem != "" {
		e.refuse(s, "the file "+path+", which is included here, "+problem)
		return nil
	}
	if data != nil {
		f = &config.File{Origin: path, Override: s.file.Override, Data: data}
	}
	e.files[path] = f
	return f
}

// refuse has nothing more read. The first statement is at fault.
func (e *includedFiles) refuse(s *statement, problem string) {
	if len(e.overflow) > 0 {
		return
	}
	e.overflow = finding.List{s.fault(finding.UnreadableFile, problem, "include only files that belong to the configuration")}
}

// ReadRegular reads a file, unless it is no regular file or larger than an override may be. A
// directory or a file that cannot be opened has no data and no problem, because doveconf
// reports it.
func ReadRegular(path string) (data []byte, problem string) {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return nil, ""
	}
	data, err := config.ReadRegular(path, maxFile)
	if unfit, ok := errors.AsType[config.Unfit](err); ok {
		return nil, "is " + string(unfit)
	}
	return data, ""
}
