package upgrade_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"pidgeon/config"
	"pidgeon/dovecot/upgrade"
)

// TestCostGrowsWithSize: as much of each construct as there may be is carried over while
// somebody waits, and twice as much costs about twice as much.
func TestCostGrowsWithSize(t *testing.T) {
	archive, err := txtar.ParseFile("../lint/examples.txtar")
	if err != nil || len(archive.Files) < 100 {
		t.Fatal(err)
	}
	for _, example := range archive.Files {
		text, _, _ := strings.Cut(string(example.Data), "=>\n")
		text, beside, _ := strings.Cut(text, ">>")
		var elsewhere []byte
		if _, data, ok := strings.Cut(beside, "\n"); ok {
			elsewhere = []byte(data)
		}
		lines := func(n int) string { return strings.Repeat(text, max(1, n/strings.Count(text, "\n"))) }
		words := func(n int) string { // the last value, many times over
			trimmed := strings.TrimRight(text, "}\n ")
			i := strings.LastIndex(trimmed, "= ")
			if i < 0 {
				return text
			}
			value := trimmed[i+2:]
			return trimmed + strings.Repeat(" "+value, n*10/(len(value)+1)) + text[len(trimmed):]
		}
		for what, of := range map[string]func(int) string{"lines": lines, "words": words} {
			cost := func(n int) time.Duration {
				files := config.Files{{Name: "x.conf", Origin: "x.conf", Data: []byte(of(n))}}
				return cpuTime(func() {
					upgrade.Convert(files, []string{"x.conf"}, false, func(string) []byte { return elsewhere })
				})
			}
			// 0.13 s at the most, with ten times the values of 2.3 in a line.
			if d := cost(1000); d > time.Second && d > 3*cost(500) {
				t.Errorf("%s, %s: %v, and half of them %v", example.Name, what, d, cost(500))
			}
		}
	}
	// What stands in a passwd-file is read line by line.
	var users strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&users, "u%d:{PLAIN}x::::::userdb_quota_rule=*:storage=%dM userdb_x%d=%%u\n", i, i, i%50)
	}
	files := config.Files{{Name: "x.conf", Origin: "x.conf", Data: []byte("passdb {\n  driver = passwd-file\n  args = /users\n}\nuserdb {\n  driver = prefetch\n}\n")}}
	if d := cpuTime(func() {
		upgrade.Convert(files, []string{"x.conf"}, false, func(string) []byte { return []byte(users.String()) })
	}); d > 5*time.Second {
		t.Errorf("a passwd-file: %v", d)
	} else {
		t.Log("a passwd-file:", d)
	}
}

func cpuTime(f func()) time.Duration {
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	f()
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	return time.Duration(after.Utime.Nano() - before.Utime.Nano())
}
