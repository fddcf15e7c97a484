package lint

import (
	"flag"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table in the documentation")

// TestDocs has the table in the documentation say what the data file says; -update
// rewrites it.
func TestDocs(t *testing.T) {
	const name, begin = "../../docs/upgrade.md", "<!-- table -->\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no %s", name, begin)
	}
	if want := before + begin + tables(); want != string(text) {
		if !*update {
			t.Fatalf("%s does not have the table of dialects.txt: go test ./dovecot/lint -update", name)
		}
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func tables() string {
	var b strings.Builder
	b.WriteString("\n| 2.3 | 2.4 | | Source |\n| --- | --- | --- | --- |\n")
	for i, row := range TableRows("settings") {
		if row[0] != "-" {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row[0], code(row[1]), row[2], source("settings", i))
		}
	}
	b.WriteString("\n| Plugin of 2.3 | 2.4 | | Source |\n| --- | --- | --- | --- |\n")
	for i, row := range TableRows("plugins") {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row[0], code(row[1]), row[2], source("plugins", i))
	}
	b.WriteString("\n| Section of 2.3 | Instead | Source |\n| --- | --- | --- |\n")
	for i, row := range TableRows("gone") {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", row[0], row[1], source("gone", i))
	}
	return b.String()
}

func code(names string) string {
	if names == "-" {
		return ""
	}
	return "`" + strings.ReplaceAll(names, ", ", "`, `") + "`"
}

// source links to where a row is from.
func source(section string, i int) string {
	page := sources(section)[i]
	at := "https://doc.dovecot.org/main/" + page + ".html"
	if strings.HasPrefix(page, "src/") {
		at = "https://github.com/dovecot/core/blob/2.3.19/" + page
	}
	return fmt.Sprintf("[%s](%s)", path.Base(page), at)
}
