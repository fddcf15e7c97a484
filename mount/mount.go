// Package mount reads the directory an operator mounts to change the
// configuration: every file once, in a fixed order, as one consistent picture
// even while somebody writes to it. It knows the names of the files, and which of them count,
// but not their contents. It never writes to the mount.
package mount

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"pidgeon/config"
)

// TemplatesDir is the one subdirectory that is read.
const TemplatesDir = "templates"

// ErrUnstable means the mount changed while it was read; a later reading may
// succeed.
var ErrUnstable = errors.New("it keeps changing")

// Limits of a mount, in case a directory is mounted that was meant for something else.
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
	r := reading{dir: dir, what: "override"}
	return r.read(r.visit)
}

// ReadScripts reads a directory of *.sieve scripts in the same way.
func ReadScripts(dir string) (Tree, error) {
	r := reading{dir: dir, what: "script"}
	return r.read(r.visitScript)
}

func (r *reading) read(visit func(entry)) (Tree, error) {
	if err := eachEntry(nil, r.dir, visit); err != nil {
		return Tree{}, fmt.Errorf("reading %ss %q: %w", r.what, r.dir, err)
	}
	slices.SortFunc(r.tree.Conf, func(a, b config.File) int { return strings.Compare(confName(a), confName(b)) })
	slices.SortFunc(r.tree.Ignored, func(a, b Ignored) int { return strings.Compare(a.Path, b.Path) })
	return r.tree, errors.Join(append(r.faults, sameNames(r.tree.Conf)...)...)
}

// reading is one pass over the mount.
type reading struct {
	dir    string
	what   string // is read
	tree   Tree
	faults []error
	files  int
	bytes  int
}

func eachEntry(at *os.File, name string, visit func(entry)) error {
	f, err := openFolder(at, name)
	if err != nil {
		return err
	}
	defer f.close()
	for _, e := range f.entries {
		visit(e)
	}
	return f.check()
}

func (r *reading) visit(e entry) {
	switch reason := leftover(e.name); {
	case reason != "":
		r.ignore(e.name, reason)
	case e.name == TemplatesDir:
		r.note(e.name, r.readTemplates(e))
	case isConf(e.name):
		r.add(&r.tree.Conf, e, e.name)
	default:
		r.ignore(e.name, e.ignoreReason())
	}
}

func (r *reading) visitScript(e entry) {
	switch reason := leftover(e.name); {
	case reason != "":
		r.ignore(e.name, reason)
	case path.Ext(e.name) == ".sieve":
		r.add(&r.tree.Conf, e, e.name)
	default:
		r.ignore(e.name, "not *.sieve")
	}
}

func (r *reading) readTemplates(e entry) error {
	if err := e.mustBe(unix.S_IFDIR); err != nil {
		return err
	}
	return eachEntry(e.dir, e.name, func(t entry) {
		name := path.Join(TemplatesDir, t.name)
		if reason := leftover(t.name); reason != "" {
			r.ignore(name, reason)
			return
		}
		r.add(&r.tree.Templates, t, name)
	})
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

// harmless is a reason to leave an entry out without refusing the rest.
type harmless string

func (h harmless) Error() string { return string(h) }

// note files err under the ignored entries or under the faults. Leaving out an
// override the operator wrote changes the server, so everything but a harmless
// reason is a fault.
func (r *reading) note(name string, err error) {
	if reason, ok := errors.AsType[harmless](err); ok {
		r.ignore(name, string(reason))
	} else if err != nil {
		r.faults = append(r.faults, fmt.Errorf("reading %s %q: %w", r.what, r.path(name), err))
	}
}

func (r *reading) ignore(name, reason string) {
	r.tree.Ignored = append(r.tree.Ignored, Ignored{Path: r.path(name), Reason: reason})
}

func (r *reading) path(name string) string { return filepath.Join(r.dir, name) }

func (r *reading) over() error {
	switch {
	case r.files > maxFiles:
		return fmt.Errorf("more than %d files, mount only what belongs to the configuration", maxFiles)
	case r.bytes > maxTotal:
		return fmt.Errorf("the overrides are larger than %d bytes together, mount only what belongs to the configuration", maxTotal)
	}
	return nil
}

// sameNames finds x.conf beside x.conf.tmpl in a sorted list.
func sameNames(files config.Files) (faults []error) {
	for i := 1; i < len(files); i++ {
		a, b := files[i-1], files[i]
		if confName(a) == confName(b) {
			faults = append(faults, fmt.Errorf(
				"reading overrides %q and %q: both become %q, remove or rename one", a.Origin, b.Origin, confName(a)))
		}
	}
	return faults
}
