package usage

import (
	"os"
	"path/filepath"
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

// This test's own process uses something, and one that is not there nothing.
func TestOf(t *testing.T) {
	begin := CPUOf(os.Getpid())
	for CPUOf(os.Getpid()) == begin {
	}
	if m := MemoryOf(os.Getpid(), -1); m.RSS < m.PSS || m.PSS < m.Anonymous || m.Anonymous == 0 {
		t.Errorf("memory %+v", m)
	}
	if m, cpu := MemoryOf(-1), CPUOf(-1); m != (Memory{}) || cpu != 0 {
		t.Errorf("nobody has %+v and used %v", m, cpu)
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
