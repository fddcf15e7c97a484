package publish

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// saverVar makes the test binary save last good generations until it is killed.
const saverVar = "PUBLISH_TEST_SAVER"

// saveForever saves two generations in turn.
func saveForever(dir string) {
	gens := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	for i := 0; ; i++ {
		if err := SaveLastGood(filepath.Join(dir, "state"), gens[i%2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("saved")
	}
}

func TestKilledWhileSaving(t *testing.T) {
	dir := t.TempDir()
	for _, mark := range []string{"a", "b"} {
		if err := os.Rename(generation(t, mark), filepath.Join(dir, mark)); err != nil {
			t.Fatal(err)
		}
	}
	leftovers := 0
	for range 100 {
		saveAndKill(t, dir)
		complete(t, filepath.Join(dir, "state"))
		if len(names(t, filepath.Join(dir, "state"))) != 2 {
			leftovers++
		}
	}
	if leftovers == 0 {
		t.Error("no kill hit a saving")
	}
	t.Logf("%d of 100 kills left something half done", leftovers)
	saved(t, filepath.Join(dir, "state"), filepath.Join(dir, "a"))
	if got := names(t, filepath.Join(dir, "state")); len(got) != 2 {
		t.Errorf("leftovers stay: %q", got)
	}
}

// saveAndKill lets the saver finish one round, so there is a last good one, and
// kills it at a moment that may be anywhere within the next ones.
func saveAndKill(t *testing.T, dir string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	saver := exec.Command(exe)
	saver.Env = append(os.Environ(), saverVar+"="+dir)
	out, err := saver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := saver.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "saved" {
		t.Errorf("saver says %q", lines.Text())
	}
	moment := time.AfterFunc(rand.N(15*time.Millisecond), func() { _ = saver.Process.Kill() })
	defer moment.Stop()
	for lines.Scan() {
	}
	_ = saver.Wait()
}

func complete(t *testing.T, state string) {
	t.Helper()
	files, ok, err := LoadLastGood(state)
	if err != nil || !ok || len(files) == 0 {
		t.Fatalf("loading: %v, %v", ok, err)
	}
	mark, _, _ := strings.Cut(string(files[0].Data), " ")
	filesAre(t, files, sample(mark))
}
