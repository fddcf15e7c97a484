package usage

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

const rollup = `55d0-7ffd ---p 00000000 00:00 0     [rollup]
Rss:                5444 kB
Pss:                1234 kB
Pss_Dirty:           567 kB
Pss_Anon:            560 kB
Shared_Clean:       4000 kB
Anonymous:           890 kB
AnonHugePages:         7 kB
`

func TestParseRollup(t *testing.T) {
	if got, want := parseRollup([]byte(rollup)), (Memory{RSS: 5444, PSS: 1234, Anonymous: 890}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := parseRollup(nil); got != (Memory{}) {
		t.Errorf("a process that has ended has %+v", got)
	}
}

func TestParseTicks(t *testing.T) {
	// A name that looks like fields.
	stat := "42 (a) S 1 (b)) S 1 42 42 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 999 1000 200"
	if got := parseTicks(stat); got != 11+22+33+44 {
		t.Errorf("got %d", got)
	}
	if got := parseTicks(""); got != 0 {
		t.Errorf("a process that has ended has used %d", got)
	}
}

// Two servers side by side: each has its own processes alone.
func TestServer(t *testing.T) {
	proc := t.TempDir()
	for pid, namespace := range map[int]string{1: "pid:[1]", 20: "pid:[2]", 21: "pid:[2]", 30: "pid:[3]"} {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.MkdirAll(dir+"/ns", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(namespace, dir+"/ns/pid"); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/smaps_rollup", rollup)
		write(t, dir+"/stat", "1 (x) S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0")
	}
	s, err := of(proc, 20)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.PIDs(); !slices.Equal(got, []int{20, 21}) {
		t.Errorf("processes %v", got)
	}
	if got := s.Memory(); got.PSS != 2*1234 {
		t.Errorf("memory %+v", got)
	}
	if got := s.CPU(); got != 200*time.Millisecond {
		t.Errorf("CPU %v", got)
	}
}

func TestActivity(t *testing.T) {
	dir := t.TempDir()
	for _, task := range []string{"7", "8"} {
		if err := os.MkdirAll(filepath.Join(dir, "task", task), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "task", task, "status"), "Name:\tx\nvoluntary_ctxt_switches:\t10\nnonvoluntary_ctxt_switches:\t3\n")
		write(t, filepath.Join(dir, "task", task, "schedstat"), "1500 20 3\n")
	}
	if got, want := activity(dir), (Activity{Switches: 26, CPU: 3 * time.Microsecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
