package publish

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pidgeon/config"
)

func withUmask(t *testing.T, mask int) {
	t.Helper()
	old := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(old) })
}

func TestStageModesAndGroup(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		withUmask(t, mask)
		gid := os.Getgid()
		if os.Getuid() == 0 {
			gid = 12345
		}
		s := opened(t, t.TempDir())
		s.GID = gid
		dir := staged(t, s, sample("any"))
		for name, mode := range map[string]os.FileMode{
			"":                    0o750,
			"conf.d":              0o750,
			"conf.d/deep":         0o750,
			"conf.d/deep/er.conf": 0o640,
			"dovecot.conf":        0o640,
			"tls.key":             0o600,
		} {
			modeIs(t, filepath.Join(dir, name), mode)
			groupIs(t, filepath.Join(dir, name), gid)
		}
	}
}

func groupIs(t *testing.T, name string, want int) {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(info.Sys().(*syscall.Stat_t).Gid); got != want {
		t.Errorf("%s has group %d, want %d", name, got, want)
	}
}

func TestStageRefusesNames(t *testing.T) {
	s := opened(t, t.TempDir())
	for _, bad := range [][]string{
		{""},
		{"."},
		{".."},
		{"../dovecot.conf"},
		{"conf.d/../../dovecot.conf"},
		{"conf.d/./dovecot.conf"},
		{"/etc/dovecot.conf"},
		{"conf.d/"},
		{"conf.d//dovecot.conf"},
		{"dovecot.conf", "dovecot.conf"},
		{"conf.d", "conf.d/dovecot.conf"},
		{"conf.d/dovecot.conf", "conf.d"},
		{"dovecot.conf\x00"},
		{strings.Repeat("x", 300)},
	} {
		files := config.Files{{Name: "first.conf"}}
		for _, name := range bad {
			files = append(files, config.File{Name: name})
		}
		if dir, err := s.Stage(files); err == nil || dir != "" {
			t.Errorf("%q was staged", bad)
		}
		namesAre(t, s.Dir)
	}
	if got := filepath.Base(staged(t, s, sample("any"))); got != "gen-000001" {
		t.Errorf("staged as %s", got)
	}
}

func TestStageGroupRefused(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may give any group")
	}
	s := opened(t, t.TempDir())
	s.GID = 0
	if _, err := s.Stage(sample("any")); err == nil {
		t.Error("staged with a group that is not ours")
	}
	namesAre(t, s.Dir)
}

// readTree reads a generation.
func readTree(dir string) (files config.Files, err error) {
	tree := os.DirFS(dir)
	return files, fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		data, err2 := fs.ReadFile(tree, name)
		files = append(files, config.File{Name: name, Data: data, Mode: info.Mode().Perm()})
		return errors.Join(err, err2)
	})
}

func TestStageKeepsBytes(t *testing.T) {
	s := opened(t, t.TempDir())
	want := sample("bytes\x00\xff\r\n")
	got, err := readTree(staged(t, s, want))
	if err != nil {
		t.Fatal(err)
	}
	filesAre(t, got, want)
}

func filesAre(t *testing.T, got, want config.Files) {
	t.Helper()
	same := func(a, b config.File) bool {
		return a.Name == b.Name && string(a.Data) == string(b.Data) && cmp.Or(a.Mode, fileMode) == cmp.Or(b.Mode, fileMode)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("got files %v, want %v", got, want)
	}
}
