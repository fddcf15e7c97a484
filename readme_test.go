package main

import (
	"os"
	"regexp"
	"testing"

	"pidgeon/settings"
)

// row is a line of the settings table: `NAME`, default, meaning.
var row = regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\| (?:`([^`]*)`)? ?\\| (.*) \\|$")

func TestReadmeNamesEveryVariable(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := row.FindAllStringSubmatch(string(text), -1)
	variables := settings.Variables()
	if len(rows) != len(variables) {
		t.Fatalf("the table has %d rows, and there are %d variables", len(rows), len(variables))
	}
	for i, v := range variables {
		if got := rows[i]; got[1] != v.Name || got[2] != v.Default || got[3] != v.Doc {
			t.Errorf("row %d is\n%s\nwant %s, default %q, %q", i+1, got[0], v.Name, v.Default, v.Doc)
		}
	}
}
