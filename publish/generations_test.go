package publish

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pidgeon/config"
)

func TestDiscard(t *testing.T) {
	s := opened(t, t.TempDir())
	current := published(t, s, sample("current"))
	refused := staged(t, s, sample("refused"))
	if err := s.Discard(refused); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(current); err == nil || !strings.Contains(err.Error(), "current") {
		t.Errorf("discarding the current generation: %v", err)
	}
	namesAre(t, s.Dir, "current", "gen-000001")
	if got := filepath.Base(s.Next()); got != "gen-000003" {
		t.Errorf("next is %s: a number came back", got)
	}
}

func TestPrune(t *testing.T) {
	s := opened(t, t.TempDir())
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{
		{"current", "gen-000001"},
		{"current", "gen-000001", "gen-000002"},
		{"current", "gen-000002", "gen-000003"},
		{"current", "gen-000003", "gen-000004"},
	} {
		published(t, s, sample("any"))
		if err := s.Prune(); err != nil {
			t.Fatal(err)
		}
		namesAre(t, s.Dir, want...)
	}
}

// The one before may be older than the last number: candidates were refused.
func TestPruneSkipsGaps(t *testing.T) {
	s := opened(t, t.TempDir())
	published(t, s, sample("older"))
	published(t, s, sample("before"))
	if err := s.Discard(staged(t, s, sample("refused"))); err != nil {
		t.Fatal(err)
	}
	published(t, s, sample("current"))
	staged(t, s, sample("candidate"))
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	namesAre(t, s.Dir, "current", "gen-000002", "gen-000004", "gen-000005")
}

func TestOpenClearsLeftovers(t *testing.T) {
	s := opened(t, t.TempDir())
	published(t, s, sample("before"))
	current := published(t, s, sample("current"))
	staged(t, s, sample("never published"))
	for _, name := range []string{".gen-000004", ".gen-000001", ".current12345"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, name, "conf.d"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Dir, ".foreign"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	again := opened(t, s.Dir)
	namesAre(t, s.Dir, ".foreign", "current", "gen-000001", "gen-000002")
	if got, _ := again.Current(); got != current {
		t.Errorf("current is %s, want %s", got, current)
	}
	if got := filepath.Base(again.Next()); got != "gen-000004" {
		t.Errorf("next is %s: a number came back", got)
	}
}

func TestOpenWithNothingPublished(t *testing.T) {
	s := opened(t, t.TempDir())
	staged(t, s, sample("never published"))
	again := opened(t, s.Dir)
	namesAre(t, s.Dir)
	if got := filepath.Base(again.Next()); got != "gen-000002" {
		t.Errorf("next is %s", got)
	}
}

func TestNumbersOutgrowTheirZeros(t *testing.T) {
	s := opened(t, t.TempDir())
	for _, name := range []string{"gen-999999", "gen-1000000"} {
		if err := os.Mkdir(filepath.Join(s.Dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Publish(s.path(1000000)); err != nil {
		t.Fatal(err)
	}
	if got := filepath.Base(opened(t, s.Dir).Next()); got != "gen-1000001" {
		t.Errorf("next is %s", got)
	}
}

// A generation seen by its own path is complete or gone.
func TestRemovalIsSeenAtOnce(t *testing.T) {
	s := opened(t, t.TempDir())
	var files config.Files
	for i := range 2000 {
		files = append(files, config.File{Name: fmt.Sprintf("%04d.conf", i)})
	}
	dir := staged(t, s, files)
	removed := make(chan error, 1)
	go func() { removed <- s.Discard(dir) }()
	for isThere(dir) {
		name := filepath.Join(dir, files[rand.N(len(files))].Name)
		if !isThere(name) && isThere(dir) {
			t.Errorf("%s is gone, its generation is not", name)
			break
		}
	}
	if err := <-removed; err != nil {
		t.Error(err)
	}
	namesAre(t, s.Dir)
}

func isThere(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
