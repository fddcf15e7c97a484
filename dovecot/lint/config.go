// Package lint checks the text of a configuration: it has doveconf find all faults in the
// place of the first, rewords them for the operator, and finds faults that doveconf accepts.
// Package rehearsal finds faults that show only when the configuration is used.
package lint

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/finding"
)

// Config is the parsed text of a configuration, in the order in which Dovecot reads it.
type Config struct {
	files      []*file // those given
	included   *includedFiles
	byPath     map[string]*file // all
	statements []*statement
	sections   map[section]*section
	setters    map[target][]*statement // by what they set or open, in order
	mentions   map[string][]int        // places of statements whose value names a setting, by that name
	order      map[string]int          // of the files that are read, by their origins, from 1 on
	origins    *strings.Replacer       // of paths as Dovecot reads them
}

type file struct {
	config.File
	path       string // where
	read       bool
	statements []*statement
}

// section is a section of the configuration; sections that Dovecot merges are one.
type section struct {
	around *section // nil outside of all
	kind   string   // service
	name   string   // imap-login
	number int      // of a section that Dovecot merges with no other; else 0
}

// target identifies what a statement sets; of two with the same target the later one counts.
type target struct {
	in        *section
	key, name string // the name is that of a section
}

// Parse reads a configuration that lies in dir, and what it includes from elsewhere.
// Files that are no part of it, such as keys, do not end in .conf.
func Parse(files config.Files, dir string) *Config { return parse(files, dir, newIncludedFiles()) }

func parse(files config.Files, dir string, elsewhere *includedFiles) *Config {
	c := newConfig(elsewhere)
	var origins []string
	// A saved configuration is in the order of its names, and Dovecot begins with Main.
	isMain := func(f config.File) bool { return f.Name == config.Main }
	i := max(0, slices.IndexFunc(files, isMain))
	for _, f := range slices.Concat(files[i:], files[:i]) {
		if f.IsConfiguration() {
			path := filepath.Join(dir, f.Name)
			c.add(f, path)
			origins = append(origins, path, f.Origin)
		}
	}
	// What an own configuration includes and does not have.
	c.origins = strings.NewReplacer(append(origins, filepath.Join(dir, config.OperatorConfigDir)+"/", "/")...)
	c.readAll()
	return c
}

func newConfig(elsewhere *includedFiles) *Config {
	return &Config{
		included: elsewhere, byPath: map[string]*file{}, sections: map[section]*section{}, setters: map[target][]*statement{},
		mentions: map[string][]int{}, order: map[string]int{}, origins: strings.NewReplacer(),
	}
}

func (c *Config) add(f config.File, path string) {
	given := &file{File: f, path: path}
	c.files, c.byPath[path] = append(c.files, given), given
}

func (c *Config) readAll() {
	r := reader{Config: c, unnamed: map[string]int{}}
	for _, f := range c.files {
		if !f.read {
			r.file(f)
		}
	}
}

// section finds one that statements stand in. One that is nowhere holds nothing.
func (c *Config) section(around *section, kind, name string) *section {
	if found, ok := c.sections[section{around, kind, name, 0}]; ok {
		return found
	}
	return &section{}
}

func (c *Config) service(name string) *section { return c.section(nil, "service", name) }

// OverrideLimit is the limit of a service that overrides set, 0 if they do not.
func (c *Config) OverrideLimit(service, limit string) (n int) {
	if s := c.last(c.service(service), limit); s != nil && s.file.Override {
		n, _ = strconv.Atoi(s.value)
	}
	return n
}

// NamesPath reports whether a line of an override names a path, or one below it.
func (c *Config) NamesPath(path string) bool {
	for s := range c.overrides {
		if strings.Contains(s.value, path) {
			return true
		}
	}
	return false
}

// UnnamedSections is the number of sections without a name.
func (c *Config) UnnamedSections() (n int) {
	for _, s := range c.statements {
		if s.kind == opening && s.name == "" {
			n++
		}
	}
	return n
}

// last finds the statement in force for a setting, nil if there is none.
func (c *Config) last(in *section, key string) *statement {
	all := c.setters[target{in, key, ""}]
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// in finds the statement that a line of a file belongs to, nil if it holds none.
func (f *file) in(line int) *statement {
	i, _ := slices.BinarySearchFunc(f.statements, line, func(s *statement, line int) int { return s.last - line })
	if i == len(f.statements) || f.statements[i].first > line {
		return nil
	}
	return f.statements[i]
}

// blamed adds the line of the override that is in force for a setting.
func (c *Config) blamed(in *section, key string, f finding.Finding) finding.Finding {
	if s := c.last(in, key); s != nil && s.file.Override {
		f.File, f.Line = s.file.Origin, s.last
	}
	return f
}

// Blame adds the line of the override that is in force for a global setting.
func (c *Config) Blame(setting string, f finding.Finding) finding.Finding {
	return c.blamed(nil, setting, f)
}

// Line is a line that sets a setting.
type Line struct {
	Setting  string `json:"setting"` // its full name: service/imap-login/process_limit
	Value    string `json:"value"`   // as written
	File     string `json:"file"`    // as the operator knows it
	Line     int    `json:"line"`
	Override bool   `json:"override"`
}

// Lines are all lines that set a setting, in the order in which Dovecot reads them: of two
// with the same name the later one is in force.
func (c *Config) Lines() []Line {
	var lines []Line
	for _, s := range c.statements {
		if s.sets() {
			lines = append(lines, Line{strings.Join(strings.Fields(s.fullName()), "/"), s.raw, s.file.Origin, s.last, s.file.Override})
		}
	}
	return lines
}
