package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pidgeon/settings"
)

// row is a line of a settings table: `NAME`, default, meaning.
var row = regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\| (?:`([^`]*)`)? ?\\| (.*) \\|$")

// TestReadmeNamesEveryVariable: each variable has one row, with what its tags say, in the README
// or in the page for those that few set; both are in the order of the struct.
func TestReadmeNamesEveryVariable(t *testing.T) {
	variables := settings.Variables()
	missing := slices.Clone(variables)
	for _, file := range []string{"README.md", "docs/settings.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		last := -1
		for _, r := range row.FindAllStringSubmatch(string(text), -1) {
			named := func(v settings.Variable) bool { return v.Name == r[1] }
			i := slices.IndexFunc(variables, named)
			if i < 0 || !slices.ContainsFunc(missing, named) {
				t.Errorf("%s: %s is no variable, or it has a row already", file, r[1])
				continue
			}
			if v := variables[i]; r[2] != v.Default || r[3] != v.Doc {
				t.Errorf("%s has\n%s\nwant %s, default %q, %q", file, r[0], v.Name, v.Default, v.Doc)
			}
			if i < last {
				t.Errorf("%s: %s stands after %s", file, r[1], variables[last].Name)
			}
			last, missing = i, slices.DeleteFunc(missing, named)
		}
	}
	for _, v := range missing {
		t.Errorf("%s has no row in README.md or docs/settings.md", v.Name)
	}
}

// TestReadmeShowsDiff: the difference in the README is the one that a script expects.
func TestReadmeShowsDiff(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/commands/without-a-server.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(script), "\n-- diff --\n")
	diff, _, found := strings.Cut(after, "-- ")
	if !found || !strings.Contains(string(readme), "```\n"+diff+"```\n") {
		t.Error("README.md shows another difference than commands/without-a-server.txtar")
	}
}
