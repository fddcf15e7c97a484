package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamples: each example takes two lines of its Dockerfile to have pidgeon in front,
// keeps its command, and is run by a script.
func TestExamples(t *testing.T) {
	all, err := filepath.Glob("examples/*/Dockerfile")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		const ours = "COPY --from=pidgeon:trixie /usr/bin/pidgeon /usr/bin/\nENTRYPOINT [\"pidgeon\"]\n"
		rest := strings.Replace(string(text), ours, "", 1)
		if strings.Contains(rest, "pidgeon") || rest == string(text) || !strings.HasSuffix(rest, "CMD [\"/usr/sbin/dovecot\", \"-F\"]\n") {
			t.Errorf("%s is not what it would be without pidgeon, and two lines:\n%s", path, text)
		}
		name := filepath.Base(filepath.Dir(path))
		if _, err := os.Stat("testdata/script/own/example-" + name + ".txtar"); err != nil {
			t.Error(err)
		}
		for dialect := range counting {
			if _, err := os.Stat(filepath.Join("examples", name, dialect, "dovecot.conf")); err != nil {
				t.Error(err)
			}
		}
	}
}
