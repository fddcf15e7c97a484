package mount

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func special() []scenario {
	return []scenario{
		{
			"FIFO", func(m mount) { m.fifo("x.conf"); m.fifo("pipe"); m.mkdir("templates"); m.fifo("templates/t") },
			found{ignored: []string{"pipe: FIFO", "templates/t: FIFO", "x.conf: FIFO"}},
		},
		{
			"FIFO through a link", func(m mount) { m.fifo("pipe"); m.link("pipe", "x.conf") },
			found{ignored: []string{"pipe: FIFO", "x.conf: FIFO"}},
		},
		{"socket", func(m mount) { m.socket("x.conf") }, found{ignored: []string{"x.conf: socket"}}},
		{
			"device through a link", func(m mount) { m.link("/dev/zero", "x.conf") },
			found{ignored: []string{"x.conf: device"}},
		},
		{"file without a size", func(m mount) { m.link("/proc/self/comm", "x.conf") }, found{conf: []string{"x.conf"}}},
	}
}

func limited() []scenario {
	return []scenario{
		{"largest file", func(m mount) { m.sparse("x.conf", maxFile) }, found{conf: []string{"x.conf"}}},
		{
			"too large", func(m mount) { m.sparse("x.conf", maxFile+1); m.sparse("y.conf.tmpl", 64<<20) },
			found{faults: []string{
				`/x.conf": 1048577 bytes are more than an override may have (1048576)`, `/y.conf.tmpl": 67108864 bytes`,
			}},
		},
		{
			"large but not ours", func(m mount) { m.sparse("core", 64<<20) },
			found{ignored: []string{"core: not *.conf"}},
		},
		{"too large together", func(m mount) {
			for i := range 12 {
				m.sparse(fmt.Sprintf("%02d.conf", i), maxFile)
			}
		}, found{
			conf:   strings.Fields("00.conf 01.conf 02.conf 03.conf 04.conf 05.conf 06.conf 07.conf"),
			faults: []string{"larger than 8388608 bytes together"},
		}},
	}
}

func TestReadTooManyFiles(t *testing.T) {
	m := mount{t, t.TempDir()}
	for i := range maxFiles {
		m.write(fmt.Sprintf("%d.conf", i), "")
	}
	tree, err := Read(m.dir)
	if err != nil || len(tree.Conf) != maxFiles {
		t.Fatalf("%d files, %v", len(tree.Conf), err)
	}
	for i := range 50 {
		m.write(fmt.Sprintf("templates/%d", i), "")
	}
	_, err = Read(m.dir)
	if err == nil || strings.Count(err.Error(), "more than 256 files") != 1 {
		t.Fatalf("error = %v, want one complaint about the number", err)
	}
}

func TestReadTooManyEntries(t *testing.T) {
	m := mount{t, t.TempDir()}
	for i := range maxEntries + 1 {
		m.must(unix.Mknod(m.at(fmt.Sprint(i)), unix.S_IFREG|0o644, 0))
	}
	if _, err := Read(m.dir); err == nil || !strings.Contains(err.Error(), "more than 1024 entries") {
		t.Fatalf("error = %v", err)
	}
}

func TestReadDevice(t *testing.T) {
	m := mount{t, t.TempDir()}
	if err := unix.Mknod(m.at("x.conf"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Skip("making a device needs a privilege:", err)
	}
	tree, err := Read(m.dir)
	found{ignored: []string{"x.conf: device"}}.compare(t, m.dir, tree, err)
}

// TestReadUnreadable needs a user whom permissions stop: root runs it again as
// somebody else.
func TestReadUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		rerunAs(t, 1000)
		return
	}
	m := mount{t, t.TempDir()}
	for _, name := range []string{"a.conf", "b.conf", "d.conf", "templates/t"} {
		m.write(name, "x")
		m.must(os.Chmod(m.at(name), 0))
	}
	m.write("c.conf", "ok")
	m.must(os.Chmod(m.at("d.conf"), 0o600))
	tree, err := Read(m.dir)
	found{conf: []string{"c.conf=ok", "d.conf=x"}, faults: []string{
		`/a.conf": permission denied`, `/b.conf": permission denied`, `/templates/t": permission denied`,
	}}.compare(t, m.dir, tree, err)
}

func TestReadUnreadableDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		rerunAs(t, 1000)
		return
	}
	m := mount{t, t.TempDir()}
	m.write("closed/templates/t", "x")
	m.must(os.Chmod(m.at("closed/templates"), 0))
	if _, err := Read(m.at("closed")); err == nil || !strings.Contains(err.Error(), `/templates": permission denied`) {
		t.Errorf("error = %v", err)
	}
	m.must(os.Chmod(m.at("closed"), 0))
	defer func() { m.must(os.Chmod(m.at("closed"), 0o700)); m.must(os.Chmod(m.at("closed/templates"), 0o700)) }()
	if _, err := Read(m.at("closed")); err == nil || !strings.HasSuffix(err.Error(), `/closed": permission denied`) {
		t.Errorf("error = %v", err)
	}
}
