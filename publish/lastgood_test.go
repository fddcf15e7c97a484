package publish

import (
	"os"
	"path/filepath"
	"testing"

	"pidgeon/config"
)

func generation(t *testing.T, mark string) string {
	t.Helper()
	return staged(t, opened(t, t.TempDir()), sample(mark))
}

func saved(t *testing.T, stateDir, genDir string) {
	t.Helper()
	if err := SaveLastGood(stateDir, genDir); err != nil {
		t.Fatal(err)
	}
}

func goodIs(t *testing.T, stateDir string, want config.Files) {
	t.Helper()
	files, ok, err := LoadLastGood(stateDir)
	if err != nil || !ok {
		t.Fatalf("loading: %v, %v", ok, err)
	}
	filesAre(t, files, want)
}

func TestNoLastGood(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		if files, ok, err := LoadLastGood(dir); ok || err != nil || files != nil {
			t.Errorf("got %v, %v, %v", files, ok, err)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state", "dir")
	saved(t, state, generation(t, "first"))
	goodIs(t, state, sample("first"))
	namesAre(t, state, "last-good", "last-good-1")

	saved(t, state, generation(t, "second"))
	goodIs(t, state, sample("second"))
	namesAre(t, state, "last-good", "last-good-2")
}

func TestSaveThroughTheLink(t *testing.T) {
	s, state := opened(t, t.TempDir()), t.TempDir()
	published(t, s, sample("current"))
	saved(t, state, s.link())
	goodIs(t, state, sample("current"))
}

func TestLoadedCanBeStagedAgain(t *testing.T) {
	state := t.TempDir()
	saved(t, state, generation(t, "good"))
	files, _, err := LoadLastGood(state)
	if err != nil {
		t.Fatal(err)
	}
	dir := staged(t, opened(t, t.TempDir()), files)
	modeIs(t, filepath.Join(dir, "tls.key"), 0o600)
	modeIs(t, filepath.Join(dir, "dovecot.conf"), 0o640)
}

func TestLastGoodIsReadableByUsAlone(t *testing.T) {
	withUmask(t, 0)
	state := t.TempDir()
	saved(t, state, generation(t, "any"))
	for name, mode := range map[string]os.FileMode{
		"last-good-1":                           0o700,
		"last-good-1/files/conf.d/deep":         0o700,
		"last-good-1/files/conf.d/deep/er.conf": 0o600,
		"last-good-1/files/dovecot.conf":        0o600,
		"last-good-1/manifest.json":             0o600,
	} {
		modeIs(t, filepath.Join(state, name), mode)
	}
}

func TestSaveRefusesWhatIsNoGeneration(t *testing.T) {
	state := t.TempDir()
	saved(t, state, generation(t, "good"))
	bad := generation(t, "bad")
	if err := os.Symlink("/etc/passwd", filepath.Join(bad, "link.conf")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{bad, filepath.Join(bad, "missing"), filepath.Join(bad, "dovecot.conf")} {
		if SaveLastGood(state, dir) == nil {
			t.Errorf("%s was saved", dir)
		}
		goodIs(t, state, sample("good"))
		namesAre(t, state, "last-good", "last-good-1")
	}
}

func TestSaveClearsLeftovers(t *testing.T) {
	state := t.TempDir()
	saved(t, state, generation(t, "first"))
	for _, name := range []string{"last-good-2", "last-good-7", ".last-good12345", "tls", ".foreign"} {
		if err := os.MkdirAll(filepath.Join(state, name, "files"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	goodIs(t, state, sample("first"))
	saved(t, state, generation(t, "second"))
	goodIs(t, state, sample("second"))
	namesAre(t, state, ".foreign", "last-good", "last-good-2", "tls")
}
