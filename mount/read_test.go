package mount

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pidgeon/config"
)

func TestRead(t *testing.T) {
	for _, c := range slices.Concat(ordinary(), linked(), special(), limited(), kubernetes()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.setup(mount{t, dir})
			tree, err := Read(dir)
			c.want.compare(t, dir, tree, err)
		})
	}
}

type scenario struct {
	name  string
	setup func(m mount)
	want  found
}

// found is what a reading is expected to give, with paths relative to the mount.
type found struct {
	conf, templates []string // "name" or "name=content"
	ignored         []string // "name: beginning of the reason"
	faults          []string // parts of the error, in any order; none means no error
}

func (f found) compare(t *testing.T, dir string, tree Tree, err error) {
	t.Helper()
	compareFiles(t, "Conf", dir, tree.Conf, f.conf)
	compareFiles(t, "Templates", dir, tree.Templates, f.templates)
	f.compareIgnored(t, dir, tree.Ignored)
	if (err == nil) != (len(f.faults) == 0) {
		t.Fatalf("error = %v, want parts %q", err, f.faults)
	}
	for _, part := range f.faults {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error = %v, want %q in it", err, part)
		}
	}
	if err != nil && strings.Count(err.Error(), "\n")+1 != len(f.faults) {
		t.Errorf("error = %v, want %d lines", err, len(f.faults))
	}
}

func compareFiles(t *testing.T, what, dir string, files config.Files, want []string) {
	t.Helper()
	var got []string
	for i, f := range files {
		line := f.Name
		if i < len(want) && strings.Contains(want[i], "=") {
			line += "=" + string(f.Data)
		}
		got = append(got, line)
		if f.Origin != filepath.Join(dir, f.Name) {
			t.Errorf("Origin = %q for %q", f.Origin, f.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

func (f found) compareIgnored(t *testing.T, dir string, ignored []Ignored) {
	t.Helper()
	var got []string
	for _, i := range ignored {
		got = append(got, strings.TrimPrefix(i.Path, dir+"/")+": "+i.Reason)
	}
	match := func(a, b string) bool { return strings.HasPrefix(a, b) }
	if !slices.EqualFunc(got, f.ignored, match) {
		t.Errorf("Ignored = %q, want %q", got, f.ignored)
	}
}

func TestReadWithoutDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	_, err := Read(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error = %v, want fs.ErrNotExist", err)
	}
	if want := `reading overrides "` + dir + `": no such file or directory`; err.Error() != want {
		t.Errorf("error = %q, want %q", err, want)
	}
}

func TestReadFileAsDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Fatalf("error = %v", err)
	}
}

func TestReadThroughLink(t *testing.T) {
	m := mount{t, t.TempDir()}
	m.write("real/a.conf", "x")
	m.link("real", "link")
	tree, err := Read(m.at("link"))
	found{conf: []string{"a.conf=x"}}.compare(t, m.at("link"), tree, err)
}

func TestConfName(t *testing.T) {
	for name, want := range map[string]string{"a.conf": "a.conf", "a.conf.tmpl": "a.conf"} {
		if got := confName(config.File{Name: name}); got != want {
			t.Errorf("confName of %q = %q, want %q", name, got, want)
		}
	}
}

func TestDirs(t *testing.T) {
	if got := Dirs("/overrides"); !slices.Equal(got, []string{"/overrides", "/overrides/templates"}) {
		t.Errorf("Dirs = %q", got)
	}
}
