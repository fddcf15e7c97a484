package publish

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"pidgeon/config"
)

// mountVar tells the test binary that it may mount: the namespace is its own.
const mountVar = "PUBLISH_TEST_MOUNT"

// TestDiskFull runs itself in a mount namespace, where it is given a file
// system with room for n pages and n files for each n that is not enough, and
// for some that are.
func TestDiskFull(t *testing.T) {
	if os.Getenv(mountVar) == "" {
		inMountNamespace(t)
		return
	}
	for _, limit := range []string{"nr_blocks", "nr_inodes"} {
		outcomes := map[bool]int{}
		for n := 1; n <= 60; n++ {
			t.Run(fmt.Sprint(limit, "=", n), func(t *testing.T) {
				dir := small(t)
				saveFull, publishFull := whenFull(t, dir, fmt.Sprint(limit, "=", n+used(t, dir, limit)))
				outcomes[saveFull]++
				outcomes[publishFull]++
			})
		}
		if outcomes[true] == 0 || outcomes[false] == 0 {
			t.Errorf("%s: %d times full, %d times not", limit, outcomes[true], outcomes[false])
		}
	}
}

func inMountNamespace(t *testing.T) {
	t.Helper()
	unshare := []string{"--mount"}
	if os.Getuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	try := append(unshare, "mount", "-t", "tmpfs", "none", t.TempDir())
	if out, err := exec.Command("unshare", try...).CombinedOutput(); err != nil {
		cannot(t, "no mount namespace to be had here: "+string(out))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", append(unshare, exe, "-test.run=^TestDiskFull$", "-test.v")...)
	cmd.Env = append(os.Environ(), mountVar+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("in a mount namespace: %v\n%s", err, out)
	}
}

// cannot skips, but not where everything is meant to be possible.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// small is a file system of its own, which holds one good and one published
// generation.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "nr_blocks=1000,nr_inodes=1000"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := opened(t, filepath.Join(dir, "run"))
	published(t, s, sample("old"))
	published(t, s, sample("old"))
	saved(t, filepath.Join(dir, "state"), s.link())
	return dir
}

func used(t *testing.T, dir, limit string) int {
	t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	if limit == "nr_inodes" {
		return int(stat.Files - stat.Ffree)
	}
	return int(stat.Blocks - stat.Bfree)
}

// whenFull tells whether saving and publishing ran out of room. If so they have
// changed nothing.
func whenFull(t *testing.T, dir, limit string) (saveFull, publishFull bool) {
	t.Helper()
	state := filepath.Join(dir, "state")
	s := opened(t, filepath.Join(dir, "run"))
	fresh := generation(t, "new")
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, limit); err != nil {
		t.Fatal(err)
	}
	saveFull = isFull(t, SaveLastGood(state, fresh))
	goodIs(t, state, newUnless(saveFull))
	countIs(t, state, 2)

	count := len(names(t, s.Dir))
	publishFull = isFull(t, stageAndPublish(s))
	if !publishFull {
		count++
	}
	files, err := readTree(s.link())
	if err != nil {
		t.Error(err)
	}
	filesAre(t, files, newUnless(publishFull))
	countIs(t, s.Dir, count)
	return saveFull, publishFull
}

func stageAndPublish(s *Store) error {
	dir, err := s.Stage(sample("new"))
	if err != nil {
		return err
	}
	if err := s.Publish(dir); err != nil {
		return errors.Join(err, s.Discard(dir))
	}
	return nil
}

func newUnless(full bool) config.Files {
	if full {
		return sample("old")
	}
	return sample("new")
}

func countIs(t *testing.T, dir string, want int) {
	t.Helper()
	if got := names(t, dir); len(got) != want {
		t.Errorf("%s holds %q", dir, got)
	}
}

// isFull lets no other error pass.
func isFull(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	return err != nil
}
