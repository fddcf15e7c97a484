package mount

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mount is a directory as an operator would fill it.
type mount struct {
	t   *testing.T
	dir string
}

func (m mount) at(name string) string { return m.dir + "/" + name }

func (m mount) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m mount) mkdir(name string) { m.t.Helper(); m.must(os.MkdirAll(m.at(name), 0o755)) }

func (m mount) write(name, data string) {
	m.t.Helper()
	m.must(os.MkdirAll(filepath.Dir(m.at(name)), 0o755))
	m.must(os.WriteFile(m.at(name), []byte(data), 0o644))
}

func (m mount) link(target, name string) {
	m.t.Helper()
	m.must(os.Symlink(target, m.at(name)))
}

// sparse makes a file of any size without writing it.
func (m mount) sparse(name string, size int64) {
	m.t.Helper()
	m.write(name, "")
	m.must(os.Truncate(m.at(name), size))
}

func (m mount) fifo(name string) {
	m.t.Helper()
	m.must(unix.Mkfifo(m.at(name), 0o644))
}

// socket lives in a short directory: a socket's path is limited to 107 bytes.
func (m mount) socket(name string) {
	m.t.Helper()
	dir, err := os.MkdirTemp("", "s")
	m.must(err)
	l, err := net.Listen("unix", dir+"/s")
	m.must(err)
	m.must(os.Rename(dir+"/s", m.at(name)))
	m.t.Cleanup(func() { _ = l.Close(); _ = os.RemoveAll(dir) })
}

// generation switches the mount as Kubernetes does: write aside, swap the link,
// keep the visible links in step, remove the old generation.
func (m mount) generation(id string, files map[string]string) {
	m.t.Helper()
	old, _ := os.Readlink(m.at("..data"))
	for name, data := range files {
		m.write("..gen-"+id+"/"+name, data)
	}
	m.link("..gen-"+id, "..data_tmp")
	m.must(os.Rename(m.at("..data_tmp"), m.at("..data")))
	m.showGeneration(id)
	if old != "" {
		m.must(os.RemoveAll(m.at(old)))
	}
}

func (m mount) showGeneration(id string) {
	m.t.Helper()
	entries, err := os.ReadDir(m.at("..gen-" + id))
	m.must(err)
	for _, e := range entries {
		if _, err := os.Lstat(m.at(e.Name())); err != nil {
			m.link("..data/"+e.Name(), e.Name())
		}
	}
}
