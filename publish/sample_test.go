package publish

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"pidgeon/config"
)

func opened(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sample is a generation whose files all bear the same mark.
func sample(mark string) config.Files {
	files := config.Files{
		{Name: "conf.d/10-mail.conf", Mode: 0o640},
		{Name: "conf.d/deep/er.conf", Mode: 0o640},
		{Name: "dovecot.conf"},
		{Name: "manifest.json", Mode: 0o640},
		{Name: "tls.key", Mode: 0o600},
	}
	for i := range files {
		files[i].Data = fmt.Appendf(nil, "%s in %s\n", mark, files[i].Name)
	}
	return files
}

func staged(t *testing.T, s *Store, files config.Files) string {
	t.Helper()
	dir, err := s.Stage(files)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func published(t *testing.T, s *Store, files config.Files) string {
	t.Helper()
	dir := staged(t, s, files)
	if err := s.Publish(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// names lists a directory, hidden entries included.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func namesAre(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func modeIs(t *testing.T, name string, want fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), want)
	}
}
