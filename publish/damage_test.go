package publish

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestDamagedIsNotLoaded also cuts the manifest at every length.
func TestDamagedIsNotLoaded(t *testing.T) {
	state := t.TempDir()
	saved(t, state, generation(t, "good"))
	list := filepath.Join(state, "last-good/manifest.json")
	whole, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		damaged(t, state, "manifest.json", whole[:n])
	}
	damaged(t, state, "manifest.json", escaping(t))
	damaged(t, state, "files/dovecot.conf", nil)
	damaged(t, state, "files/tls.key", []byte("good in tls.kez\n"))
	goodIs(t, state, sample("good"))

	if err := os.Remove(filepath.Join(state, "last-good/files/tls.key")); err != nil {
		t.Fatal(err)
	}
	notLoaded(t, state, "with a missing file")
}

// damaged puts the file right again afterwards.
func damaged(t *testing.T, state, name string, data []byte) {
	t.Helper()
	name = filepath.Join(state, goodLink, name)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, data)
	notLoaded(t, state, "with "+name+" holding "+string(data))
	write(t, name, whole)
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func notLoaded(t *testing.T, state, how string) {
	t.Helper()
	if files, ok, err := LoadLastGood(state); ok || err == nil || files != nil {
		t.Errorf("%s: got %d files, %v, %v", how, len(files), ok, err)
	}
}

func escaping(t *testing.T) []byte {
	t.Helper()
	data, err := json.Marshal(manifest{Files: []manifestFile{{Name: "../../../passwd"}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}
