package render_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pidgeon/config"
	"pidgeon/render"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden renders each case in testdata/golden. A case holds
//
//	environment     NAME=value, one per line
//	identity        a user and a group, if it does not run as root
//	overrides/…     as mounted
//	want            the files: mode, name, where from
//	want/…          their contents
//
// and is for the dialect that its name ends with. -update rewrites want.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range cases {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dialect := name[strings.LastIndex(name, "-")+1:]
			files := renderAll(t, inputOf(t, dialect, archive))
			checkGolden(t, file, archive, files)
			needDoveconf(t, dialect)
			accepted(t, dialect, files, "-x", "-n")
		})
	}
}

func inputOf(t *testing.T, dialect string, archive *txtar.Archive) render.Input {
	t.Helper()
	var in render.Input
	for _, f := range archive.Files {
		mounted, isOverride := strings.CutPrefix(f.Name, "overrides/")
		_, isTemplate := strings.CutPrefix(mounted, "templates/")
		switch {
		case f.Name == "environment":
			in = input(t, dialect, load(t, strings.Split(string(f.Data), "\n")...))
		case f.Name == "identity":
			fmt.Sscan(string(f.Data), &in.Data.User, &in.Data.Group)
		case isTemplate:
			in.Templates = append(in.Templates, override(mounted, string(f.Data)))
		case isOverride:
			in.Overrides = append(in.Overrides, override(mounted, string(f.Data)))
		}
	}
	return in
}

func checkGolden(t *testing.T, file string, archive *txtar.Archive, files config.Files) {
	t.Helper()
	golden := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if f.Name != "want" && !strings.HasPrefix(f.Name, "want/") {
			golden.Files = append(golden.Files, f)
		}
	}
	golden.Files = append(golden.Files, wanted(files)...)
	got, want := txtar.Format(golden), txtar.Format(archive)
	switch {
	case bytes.Equal(got, want):
	case *update:
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: %s", file, firstDifference(string(got), string(want)))
	}
}

// wanted are the sections for what was rendered.
func wanted(files config.Files) []txtar.File {
	list := txtar.File{Name: "want"}
	sections := []txtar.File{{}}
	for _, f := range files {
		list.Data = fmt.Appendf(list.Data, "%04o %s: %s\n", f.Mode, f.Name, f.Origin)
		if len(f.Data) > 0 {
			sections = append(sections, txtar.File{Name: "want/" + f.Name, Data: f.Data})
		}
	}
	sections[0] = list
	return sections
}

func firstDifference(got, want string) string {
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			return fmt.Sprintf("line %d differs:\n got %s\nwant %s\n(-update rewrites it)", i+1, gotLines[i], wantLines[i])
		}
	}
	return fmt.Sprintf("rendered %d lines, want %d (-update rewrites it)", len(gotLines), len(wantLines))
}
