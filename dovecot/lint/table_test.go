package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pidgeon/finding"
)

// Every row has the columns of its section, and every section and list is one that the
// code asks for and the head of the file explains.
func TestTable(t *testing.T) {
	var code strings.Builder
	files, _ := filepath.Glob("*.go")
	more, _ := filepath.Glob("../upgrade/*.go")
	for _, file := range append(files, more...) {
		if text, _ := os.ReadFile(file); !strings.HasSuffix(file, "_test.go") {
			code.Write(text)
		}
	}
	head, _, _ := strings.Cut(dialects, "\n[")
	asked := func(name string) {
		if !strings.Contains(code.String(), `"`+name+`"`) || !regexp.MustCompile(`(?m)^# +`+name).MatchString(head) {
			t.Errorf("%s is not asked for, or not explained", name)
		}
	}
	columns := map[string]int{"settings": 4, "plugins": 4, "packages": 3, "values": 2, "structures": 2, "letters": 3, "locations": 3, "options": 2, "arguments": 2, "implied": 2, "gone": 3, "variables": 2, "rewritten": 2, "modifiers": 2, "pairs": 2, "verdicts": 3, "lists": 2}
	for section, rows := range sections() {
		asked(section)
		for _, row := range rows {
			if len(row) != columns[section] || row[0] == "" && row[1] == "" {
				t.Errorf("%s: %q", section, row)
			}
			if section == "lists" {
				kind, _, inSection := strings.Cut(row[0], "/")
				asked(kind + map[bool]string{true: "/"}[inSection])
			}
		}
	}
}

// Each row about what differs says where that is written.
func TestSources(t *testing.T) {
	page := regexp.MustCompile(`^(core|installation/upgrade)/[a-z0-9_./-]+$|^src/[a-z0-9/-]+\.c$`)
	for section, rows := range sections() {
		if section == "packages" || section == "options" || section == "pairs" || section == "verdicts" || section == "lists" {
			continue // which tell no source
		}
		for i, source := range sources(section) {
			if !page.MatchString(source) {
				t.Errorf("%s: %s has the source %q", section, rows[i][0], source)
			}
		}
	}
}

// sources are the pages that the rows of a section are from, such as core/plugins/quota.
func sources(section string) (all []string) {
	_, text, _ := strings.Cut(dialects, "\n["+section+"]")
	text, _, _ = strings.Cut(text, "\n[")
	source := ""
	for i, line := range strings.Split(text, "\n") {
		if page, ok := strings.CutPrefix(line, "@"); ok {
			source = strings.TrimSpace(page)
		} else if i > 0 && line != "" && line[0] != '#' {
			all = append(all, source)
		}
	}
	return all
}

// Each verdict is reached, and its code is one that is documented.
func TestVerdicts(t *testing.T) {
	codes, err := os.ReadFile("../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range TableRows("verdicts") {
		if code, hint := understand("x: " + row[0] + " y"); code != finding.Code(row[1]) || hint != row[2] {
			t.Errorf("%s comes after one that says %s", row[0], hint)
		}
		if !strings.Contains(string(codes), "| `"+row[1]+"` |") {
			t.Errorf("%s is no code", row[1])
		}
	}
}

// Each variable of the table is found, and each list names something once.
func TestVariablesOfTheTable(t *testing.T) {
	for _, row := range slices.Concat(TableRows("variables"), TableRows("rewritten")) {
		old := "%" + row[0]
		if len(row[0]) > 1 {
			old = "%{" + row[0] + "}"
			if whole, got, _ := newVariable("/srv/%{" + row[1] + "}/x"); whole != "%{"+row[1]+"}" || got != old {
				t.Errorf("%s: got %s", row[1], got)
			}
		}
		if _, got := (ValuePlace{Key: "auth_x"}).oldVariable("/srv/" + old + "/x"); got != "in Dovecot 2.4 it is %{"+row[1]+"}" && TableRow("rewritten", row[0]) == nil {
			t.Errorf("%s: got %s", old, got)
		}
	}
	for _, row := range TableRows("modifiers") {
		if _, got := (ValuePlace{}).oldVariable("%" + row[0] + "u"); got != "in Dovecot 2.4 it is %{user | "+row[1]+"}" {
			t.Errorf("%s: got %s", row[0], got)
		}
	}
	for _, row := range TableRows("lists") {
		words := TableList(row[0])
		if slices.Sort(words); len(slices.Compact(words)) != len(strings.Fields(row[1])) {
			t.Errorf("%s names something twice", row[0])
		}
	}
}
