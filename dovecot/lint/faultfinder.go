package lint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/finding"
)

// faultFinder has a copy of a configuration in which known faults are blanked, because
// doveconf reports only the first fault.
type faultFinder struct {
	*Config // of the copy
	dovecot *dovecot.Dovecot
	dir     string
	main    string
	names   int // sections that were given a name
}

const (
	// maxRounds and roundsPatience bound how often doveconf is asked about a
	// configuration that is refused already; one round takes 10 to 15 ms.
	maxRounds      = 30
	roundsPatience = 5 * time.Second
)

// everything returns all faults of a configuration that doveconf refuses.
func (c *Config) everything(ctx context.Context, d *dovecot.Dovecot, main string, first finding.List) finding.List {
	f := &faultFinder{Config: c, dovecot: d}
	defer func() { os.RemoveAll(f.dir) }()
	if c.byPath[main] == nil || f.copy(main) != nil {
		return first // better than none
	}
	ctx, cancel := context.WithTimeout(ctx, roundsPatience)
	defer cancel()
	found := append(f.encoding(), f.each(unreadable)...)
	f.blank(found...)
	words := f.otherWords(d.Dialect, true)
	f.blank(words...)
	found = append(found, words...)
	found = append(found, f.rounds(ctx, len(found) > 0)...)
	if len(found.Faults()) == 0 {
		return append(found, first...)
	}
	return found
}

// copy writes a copy, which may hold passwords, beside the configuration or else into the
// temporary directory.
func (f *faultFinder) copy(main string) (err error) {
	if f.dir, err = os.MkdirTemp(filepath.Dir(main), "check-"); err != nil {
		if f.dir, err = os.MkdirTemp("", "pidgeon-check-"); err != nil {
			return err
		}
	}
	f.main = filepath.Join(f.dir, filepath.Base(main))
	var files config.Files
	for _, file := range f.files {
		files = append(files, file.File)
	}
	return f.write(files)
}

// write writes the files of the copy, and reads it anew.
func (f *faultFinder) write(files config.Files) error {
	for _, file := range files {
		path := filepath.Join(f.dir, file.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, file.Data, 0o600)); err != nil {
			return err
		}
	}
	f.Config = parse(files, f.dir, f.included)
	return nil
}

// rounds asks doveconf until it finds no fault, or one that blanking may have caused.
func (f *faultFinder) rounds(ctx context.Context, blanked bool) finding.List {
	var found finding.List
	for range maxRounds {
		said, _ := f.dovecot.Complaints(ctx, f.main)
		if ctx.Err() != nil {
			break
		}
		first := slices.IndexFunc(said, func(c dovecot.Complaint) bool { return c.Fatal })
		if first < 0 {
			return found
		}
		next := f.placed(ctx, f.dovecot, said[first])
		if blanked && next.Line == 0 {
			return found
		}
		if missing := strings.Contains(next.Problem, "but it is missing"); !missing || !blanked {
			found = append(found, next)
		}
		if !f.blank(next) {
			return found
		}
		blanked = true
	}
	return append(found, finding.Finding{Code: finding.MoreFaults, Problem: "there may be more faults than these", Hint: "correct these and check again", Warning: true})
}

// blank empties the lines that cause faults, all lines of a section for a fault in its first
// one. A section without a name gets one, so that doveconf reads its contents. It reports
// whether the copy has changed.
func (f *faultFinder) blank(faults ...finding.Finding) (changed bool) {
	var files config.Files
	for _, file := range f.files {
		lines := bytes.Split(file.Data, []byte("\n"))
		until := make([]int, len(lines)) // by the first line of what a fault covers
		for _, fault := range faults {
			if fault.File != file.Origin || fault.Line == 0 || fault.Line > len(lines) {
				continue
			}
			if key, unnamed := strings.CutSuffix(fault.Problem, " { } is missing section name"); unnamed && listed(key, "named") {
				f.names++
				lines[fault.Line-1] = fmt.Appendf(nil, "%s pidgeon%d {", key, f.names)
				continue
			}
			first, last := file.extent(lines, fault.Line)
			until[first-1] = max(until[first-1], last)
		}
		end := 0
		for n := range lines {
			if end = max(end, until[n]); n < end {
				lines[n] = nil
			}
		}
		data := bytes.Join(lines, []byte("\n"))
		changed = changed || !bytes.Equal(data, file.Data)
		file.Data = data
		files = append(files, file.File)
	}
	return changed && f.write(files) == nil
}

// extent are the lines that a fault in one of them covers.
func (f *file) extent(lines [][]byte, line int) (first, last int) {
	s := f.in(line)
	switch {
	case s == nil:
		return line, line
	case s.kind == opening && s.end == 0:
		return s.first, indentedBelow(lines, s.last)
	}
	return s.first, max(s.last, s.end)
}

// encoding finds bytes in overrides that are no text.
func (c *Config) encoding() finding.List {
	var found finding.List
	for _, f := range c.files {
		if !f.Override {
			continue
		}
		note := func(at int, code finding.Code, problem, hint string) {
			line := 1 + bytes.Count(f.Data[:at], []byte("\n"))
			found = append(found, finding.Finding{Code: code, File: f.Origin, Line: line, Problem: problem, Hint: hint})
		}
		if bytes.HasPrefix(f.Data, []byte("\ufeff")) {
			note(0, finding.ByteOrderMark, "the file begins with a byte-order mark, which Dovecot takes for part of the first setting's name", "save it as UTF-8 without a byte-order mark")
		}
		if text := bytes.TrimSuffix(f.Data, []byte("\n")); !c.files[0].Override && strings.HasSuffix(uncommented(string(text[bytes.LastIndexByte(text, '\n')+1:])), "\\") {
			note(len(text), finding.NoSetting, "the last line ends with a backslash, which joins it with what follows the file", "remove the backslash")
		}
		if i := bytes.IndexByte(f.Data, 0); i >= 0 {
			note(i, finding.NULByte, "the line holds a NUL byte, at which Dovecot stops reading it", "this is not a text file: remove it, or save it as UTF-8")
		}
	}
	return found
}

// unreadable finds faults of syntax. Dovecot would report only the first of them, and some in
// another file.
func unreadable(s *statement) (f finding.Finding) {
	problem := ""
	switch {
	case s.kind == opening && s.end == 0:
		problem = "Missing '}'"
	case s.kind == closing && s.in == nil:
		problem = "Unexpected '}'"
	case s.kind == oneLine:
		problem = "Garbage after '{'"
	case s.kind == noSetting && s.key == "":
		problem = "Missing key name ('=' at the beginning of line)"
	case s.kind == noSetting:
		problem = "Expecting '{'"
	default:
		return f
	}
	code, hint := understand(problem)
	return s.fault(code, problem, hint)
}

// indentedBelow is the last line of a section by its indentation, or the last line of the file
// if no line is indented further.
func indentedBelow(lines [][]byte, line int) int {
	end := line
	for end < len(lines) && (len(bytes.TrimSpace(lines[end])) == 0 || indent(lines[end]) > indent(lines[line-1])) {
		end++
	}
	if end == line {
		return len(lines)
	}
	if end < len(lines) && string(bytes.TrimSpace(lines[end])) == "}" { // it closes another one, and looks as if it were this one's
		end++
	}
	return end
}

func indent(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t")) }
