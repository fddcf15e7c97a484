package watch

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// box is a directory with an overrides mount and a few files that a
// configuration refers to.
type box struct {
	t   *testing.T
	dir string
}

func newBox(t *testing.T) box {
	b := box{t, t.TempDir()}
	b.write("o/a.conf", "old")
	b.write("certs/tls.crt", "old")
	return b
}

func (b box) dirs() []string { return []string{b.at("o"), b.at("o/templates")} }

func (b box) files() []string {
	return []string{b.at("certs/tls.crt"), b.at("secrets/db/password")}
}

func (b box) at(name string) string { return b.dir + "/" + name }

func (b box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b box) mkdir(name string) { b.t.Helper(); b.must(os.MkdirAll(b.at(name), 0o755)) }

func (b box) write(name, data string) {
	b.t.Helper()
	b.mkdir(filepath.Dir(name))
	b.must(os.WriteFile(b.at(name), []byte(data), 0o644))
}

// add appends to a file in place, without truncation.
func (b box) add(name, data string) {
	b.t.Helper()
	f, err := os.OpenFile(b.at(name), os.O_WRONLY|os.O_APPEND, 0)
	b.must(err)
	_, err = f.WriteString(data)
	b.must(err)
	b.must(f.Close())
}

func (b box) move(from, to string) { b.t.Helper(); b.must(os.Rename(b.at(from), b.at(to))) }
func (b box) remove(name string)   { b.t.Helper(); b.must(os.RemoveAll(b.at(name))) }
func (b box) hard(from, to string) { b.t.Helper(); b.must(os.Link(b.at(from), b.at(to))) }

func (b box) link(target, name string) {
	b.t.Helper()
	b.mkdir(filepath.Dir(name))
	b.must(os.Symlink(target, b.at(name)))
}

// relink replaces a link in one step.
func (b box) relink(target, name string) {
	b.t.Helper()
	b.link(target, name+".new")
	b.move(name+".new", name)
}

func (b box) exchange(one, other string) {
	b.t.Helper()
	err := unix.Renameat2(unix.AT_FDCWD, b.at(one), unix.AT_FDCWD, b.at(other), unix.RENAME_EXCHANGE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		b.t.Skip("the file system cannot exchange two names:", err)
	}
	b.must(err)
}

// generation updates a directory as Kubernetes does a ConfigMap or a Secret.
func (b box) generation(dir, id string, files map[string]string) {
	b.t.Helper()
	old, _ := os.Readlink(b.at(dir + "/..data"))
	for name, data := range files {
		b.write(dir+"/..gen"+id+"/"+name, data)
	}
	b.relink("..gen"+id, dir+"/..data")
	for name := range files {
		if _, err := os.Lstat(b.at(dir + "/" + name)); err != nil {
			b.link("..data/"+name, dir+"/"+name)
		}
	}
	if old != "" {
		b.remove(dir + "/" + old)
	}
}
