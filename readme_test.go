package main

import (
	"os"
	"regexp"
	"slices"
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
