package mount

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// dataLink is the symbolic link by which Kubernetes switches a ConfigMap or a
// Secret to its next generation. The files the operator sees are links through
// it, so opening them one by one could mix two generations.
const dataLink = "..data"

// folder is one directory held open, so that neither a rename of it nor a
// switch of dataLink can change what is read.
type folder struct {
	dir        *os.File
	generation *os.File // where dataLink led at the start, or nil
	link       string
	entries    []entry
}

func openFolder(at *os.File, name string) (*folder, error) {
	dir, err := openAt(at, name, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir}
	f.link, _ = readLink(dir, dataLink)
	if f.link != "" {
		// A dangling link leaves generation nil: the links through it are
		// then reported one by one.
		f.generation, _ = openAt(dir, f.link, unix.O_DIRECTORY)
	}
	if err := f.list(); err != nil {
		defer f.close()
		// Listing a generation that was just removed says "no such file".
		return nil, cmp.Or(f.check(), cause(err))
	}
	return f, nil
}

func (f *folder) close() {
	_ = f.dir.Close()
	if f.generation != nil {
		_ = f.generation.Close()
	}
}

// check reports whether the generation was replaced while it was read. Kubernetes
// empties the old one right after the switch; without this check a half empty
// directory would look like a complete one.
func (f *folder) check() error {
	if link, _ := readLink(f.dir, dataLink); link != f.link {
		return fmt.Errorf("%w: a new generation was mounted meanwhile", ErrUnstable)
	}
	return nil
}

// list takes the generation's own entries in place of the links that lead to
// them: those appear and vanish before and after the switch.
func (f *folder) list() error {
	found := map[string]entry{}
	for _, dir := range []*os.File{f.generation, f.dir} {
		if dir == nil {
			continue
		}
		names, err := readNames(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if dir == f.generation || !f.leadsToGeneration(name) {
				found[name] = entry{dir, name}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		f.entries = append(f.entries, found[name])
	}
	return nil
}

func (f *folder) leadsToGeneration(name string) bool {
	if f.generation == nil {
		return false
	}
	link, _ := readLink(f.dir, name)
	return link == dataLink+"/"+name
}

// readNames leaves out what begins with "..": that is how Kubernetes marks its
// own entries.
func readNames(dir *os.File) ([]string, error) {
	names, err := dir.Readdirnames(maxEntries + 1)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(names) > maxEntries {
		return nil, fmt.Errorf("more than %d entries, mount only what belongs to the configuration", maxEntries)
	}
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "..") }), nil
}
