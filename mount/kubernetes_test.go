package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func kubernetes() []scenario {
	return []scenario{
		{"generation", func(m mount) {
			m.generation("1", map[string]string{"a.conf": "1", "gone.conf": "1"})
			m.must(os.Remove(m.at("gone.conf")))
			m.generation("2", map[string]string{"a.conf": "2", "templates/t": "2", "README": ""})
			m.write("own.conf", "mine")
		}, found{
			conf: []string{"a.conf=2", "own.conf=mine"}, templates: []string{"templates/t=2"},
			ignored: []string{"README: not"},
		}},
		{"link left by the generation before", func(m mount) {
			m.generation("1", map[string]string{"a.conf": "1"})
			m.link("..data/gone.conf", "gone.conf")
		}, found{conf: []string{"a.conf=1"}}},
		{"link not made yet", func(m mount) {
			m.generation("1", map[string]string{"a.conf": "1"})
			m.must(os.Remove(m.at("a.conf")))
		}, found{conf: []string{"a.conf=1"}}},
		{"file over a generation", func(m mount) {
			m.generation("1", map[string]string{"a.conf": "1"})
			m.must(os.Remove(m.at("a.conf")))
			m.write("a.conf", "mine")
		}, found{conf: []string{"a.conf=mine"}}},
		{"link under another name", func(m mount) {
			m.generation("1", map[string]string{"a.conf": "1"})
			m.link("..data/a.conf", "b.conf")
		}, found{conf: []string{"a.conf=1", "b.conf=1"}}},
		{"generation in templates", func(m mount) {
			m.mkdir("templates")
			mount{m.t, m.at("templates")}.generation("1", map[string]string{"t": "1"})
		}, found{templates: []string{"templates/t=1"}}},
		{"data link to nothing", func(m mount) {
			m.link("..nowhere", "..data")
			m.link("..data/a.conf", "a.conf")
		}, found{faults: []string{`/a.conf": symbolic link to nothing`}}},
	}
}

// TestReadNeverMixes swaps generations as fast as it can, each of them written
// in a directory of its own and removed after the swap.
func TestReadNeverMixes(t *testing.T) {
	m := mount{t, t.TempDir()}
	m.generation("0", numbered(0))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; ctx.Err() == nil; i++ {
			m.generation(fmt.Sprint(i), numbered(i))
		}
	}()
	defer func() { cancel(); <-done }()
	complete := 0
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline) || complete == 0; {
		complete += readOneGeneration(t, m.dir)
	}
	t.Logf("%d complete readings", complete)
}

func numbered(i int) map[string]string {
	files := map[string]string{"templates/t": fmt.Sprint(i)}
	for j := range 8 {
		files[fmt.Sprintf("%d.conf", j)] = fmt.Sprint(i)
	}
	return files
}

func readOneGeneration(t *testing.T, dir string) int {
	tree, err := Read(dir)
	if errors.Is(err, ErrUnstable) {
		return 0
	}
	if err != nil || len(tree.Conf) != 8 || len(tree.Templates) != 1 {
		t.Fatalf("%d files, %d templates, %v", len(tree.Conf), len(tree.Templates), err)
	}
	for _, f := range tree.Conf {
		if string(f.Data) != string(tree.Templates[0].Data) {
			t.Fatalf("%s is of %s, the template of %s", filepath.Base(f.Origin), f.Data, tree.Templates[0].Data)
		}
	}
	return 1
}
