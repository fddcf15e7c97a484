// Package mount reads the directory an operator mounts to change the
// configuration: every file once, in a fixed order, as one consistent picture
// even while somebody writes to it. It knows how the files are named and which
// of them count; what they mean is for others to judge. Nothing is ever written
// to the mount.
package mount

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
)

// TemplatesDir is the one subdirectory that is read.
const TemplatesDir = "templates"

// What an operator may hand over. PID 1 must not be pushed over its memory
// limit by a mount that was meant for something else.
const (
	maxFile    = 1 << 20
	maxTotal   = 8 << 20
	maxFiles   = 256
	maxEntries = 1024
)

// confName is the name that a file has once it is rendered: without ".tmpl".
func confName(f config.File) string { return strings.TrimSuffix(f.Name, tmplSuffix) }

// Ignored is an entry of the mount that has no effect.
type Ignored struct{ Path, Reason string }

// A Tree is what one reading found, in bytewise order of the names.
type Tree struct {
	Conf      config.Files // *.conf and *.conf.tmpl, ordered by the names they are rendered to
	Templates config.Files // templates/NAME
	Ignored   []Ignored    // every other entry
}

// Dirs names the directories whose changes matter to a reading of dir. They
// need not exist.
func Dirs(dir string) []string {
	return []string{dir, filepath.Join(dir, TemplatesDir)}
}

// Read reads dir once. All faults are reported together; the Tree beside them
// holds what could be read and is good for reporting only. A missing directory
// is [io/fs.ErrNotExist]; a reading that was overtaken by a change wraps
// [ErrUnstable].
func Read(dir string) (Tree, error) {
	r := reading{dir: dir}
	if err := r.readTop(); err != nil {
		return Tree{}, fmt.Errorf("reading overrides %q: %w", dir, err)
	}
	r.sort()
	return r.tree, errors.Join(r.faults...)
}

// reading is one pass over the mount.
type reading struct {
	dir    string
	tree   Tree
	faults []error
	files  int
	bytes  int
}

func (r *reading) readTop() error {
	top, err := openFolder(nil, r.dir)
	if err != nil {
		return err
	}
	defer top.close()
	for _, e := range top.entries {
		r.visit(e)
	}
	return top.check()
}

func (r *reading) visit(e entry) {
	switch reason := leftover(e.name); {
	case reason != "":
		r.ignore(e.name, reason)
	case e.name == TemplatesDir:
		r.readTemplates(e)
	case isConf(e.name):
		r.add(&r.tree.Conf, e, e.name)
	default:
		r.ignore(e.name, e.strange())
	}
}

func (r *reading) readTemplates(e entry) {
	err := e.mustBeDir()
	if err == nil {
		err = r.visitTemplates(e)
	}
	r.note(e.name, err)
}

func (r *reading) visitTemplates(e entry) error {
	sub, err := openFolder(e.dir, e.name)
	if err != nil {
		return err
	}
	defer sub.close()
	for _, t := range sub.entries {
		name := path.Join(TemplatesDir, t.name)
		if reason := leftover(t.name); reason != "" {
			r.ignore(name, reason)
			continue
		}
		r.add(&r.tree.Templates, t, name)
	}
	return sub.check()
}

// add stops at the first file over the limits, so that the complaint comes once
// and memory stays bounded.
func (r *reading) add(list *config.Files, e entry, name string) {
	if r.over() != nil {
		return
	}
	data, err := e.load()
	if err == nil {
		r.files++
		r.bytes += len(data)
		err = r.over()
	}
	if err != nil {
		r.note(name, err)
		return
	}
	*list = append(*list, config.File{Name: name, Origin: r.path(name), Override: true, Data: data})
}

func (r *reading) sort() {
	byName := func(a, b config.File) int { return strings.Compare(confName(a), confName(b)) }
	slices.SortFunc(r.tree.Conf, byName)
	r.faults = append(r.faults, twice(r.tree.Conf)...)
	byPath := func(a, b Ignored) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(r.tree.Ignored, byPath)
}
