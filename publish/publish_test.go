package publish

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(saverVar); dir != "" {
		saveForever(dir)
	}
	os.Exit(m.Run())
}

func TestOpenMakesTraversableDirs(t *testing.T) {
	withUmask(t, 0o077)
	parent := filepath.Join(t.TempDir(), "run")
	opened(t, filepath.Join(parent, "generations"))
	modeIs(t, parent, 0o755)
	modeIs(t, filepath.Join(parent, "generations"), 0o755)
}

func TestPublishSwapsTheLink(t *testing.T) {
	s := opened(t, t.TempDir())
	if dir, ok := s.Current(); ok {
		t.Errorf("current is %s before anything was published", dir)
	}
	for _, want := range []string{"gen-000001", "gen-000002"} {
		next := s.Next()
		dir := published(t, s, sample(want))
		current, ok := s.Current()
		if dir != next || current != next || !ok {
			t.Errorf("next %s, staged %s, current %s", next, dir, current)
		}
		if target, err := os.Readlink(filepath.Join(s.Dir, "current")); target != want {
			t.Errorf("link to %q (%v), want %q", target, err, want)
		}
	}
	namesAre(t, s.Dir, "current", "gen-000001", "gen-000002")
}

func TestPublishBack(t *testing.T) {
	s := opened(t, t.TempDir())
	first := published(t, s, sample("first"))
	published(t, s, sample("second"))
	if err := s.Publish(first); err != nil {
		t.Fatal(err)
	}
	if current, _ := s.Current(); current != first {
		t.Errorf("current is %s, want %s", current, first)
	}
}

func TestStrangePathsAreRefused(t *testing.T) {
	s := opened(t, t.TempDir())
	published(t, s, sample("first"))
	if err := os.WriteFile(filepath.Join(s.Dir, "gen-000009"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{
		"", "/", "gen-000001", s.Dir, t.TempDir(),
		filepath.Join(s.Dir, "gen-1"), filepath.Join(s.Dir, "gen-000002"),
		filepath.Join(s.Dir, "gen-000009"), filepath.Join(s.Dir, "current"),
		s.Dir + "/../" + filepath.Base(s.Dir) + "/gen-000001",
	} {
		if s.Publish(dir) == nil || s.Discard(dir) == nil {
			t.Errorf("%q was taken for a generation", dir)
		}
	}
	namesAre(t, s.Dir, "current", "gen-000001", "gen-000009")
}

func TestCurrentIgnoresABrokenLink(t *testing.T) {
	for _, target := range []string{"gen-000007", "/etc", "../.."} {
		s := opened(t, t.TempDir())
		if err := os.Symlink(target, s.link()); err != nil {
			t.Fatal(err)
		}
		if dir, ok := s.Current(); ok {
			t.Errorf("link to %s gave %s", target, dir)
		}
	}
}
