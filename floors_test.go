package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors are the packages from the top of the house down. Each imports from the floors
// below its own alone; watch, supervise and lazyregexp know nobody, and anybody may know them.
var floors = [][]string{
	{"pidgeon"},
	{"pidgeon/command", "pidgeon/server"},
	{"pidgeon/exporter"},
	{"pidgeon/status"},
	{"pidgeon/lifecycle"},
	{"pidgeon/candidate"},
	{"pidgeon/dovecot/rehearsal", "pidgeon/dovecot/upgrade"},
	{"pidgeon/dovecot/lint"},
	{"pidgeon/dovecot", "pidgeon/dovecot/lookup", "pidgeon/dovecot/master", "pidgeon/render", "pidgeon/publish", "pidgeon/mount", "pidgeon/certificate", "pidgeon/container", "pidgeon/userdb"},
	{"pidgeon/settings"},
	{"pidgeon/sizing"},
	{"pidgeon/config", "pidgeon/finding", "pidgeon/shard"},
	{"pidgeon/watch", "pidgeon/supervise", "pidgeon/lazyregexp"},
}

// TestFloors fails on an import that runs up, or sideways.
func TestFloors(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	floor := map[string]int{}
	for i, packages := range floors {
		for _, name := range packages {
			floor[name] = i
		}
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		at, known := floor[fields[0]]
		if !known {
			if !strings.HasPrefix(fields[0], "pidgeon/tests/") && !strings.HasPrefix(fields[0], "pidgeon/bench/") && !strings.HasPrefix(fields[0], "pidgeon/tools/") {
				t.Errorf("%s is on no floor", fields[0])
			}
			continue
		}
		for _, imported := range fields[1:] {
			if below, ours := floor[imported]; ours && below <= at {
				t.Errorf("%s imports %s, which is not below it", fields[0], imported)
			}
		}
	}
}

// TestRootFloors fails if the life of the container needs to know the table of commands.
func TestRootFloors(t *testing.T) {
	files := token.NewFileSet()
	parse := func(name string) *ast.File {
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	var above []string
	for name := range parse("main.go").Scope.Objects {
		above = append(above, name)
	}
	for _, used := range parse("entrypoint.go").Unresolved {
		if slices.Contains(above, used.Name) {
			t.Errorf("entrypoint.go uses %s of main.go", used.Name)
		}
	}
}
