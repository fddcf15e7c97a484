package upgrade_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/dovecot/upgrade"
	"pidgeon/tests/dovecottest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// upgraded writes a case's files and upgrades them.
func upgraded(t *testing.T, files []txtar.File) (dir string, after upgrade.Result) {
	t.Helper()
	dir = t.TempDir()
	for _, f := range files {
		dovecottest.Write(t, dir, f.Name, string(f.Data))
	}
	_, after, err := upgrade.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, after
}

// cases are the golden files: the configuration, then want/… and left.
func cases(t *testing.T) map[string]*txtar.Archive {
	t.Helper()
	all := map[string]*txtar.Archive{}
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[file] = archive
	}
	if len(all) == 0 {
		t.Fatal("no golden files")
	}
	return all
}

func inputOf(archive *txtar.Archive) (files []txtar.File, needs string) {
	for _, f := range archive.Files {
		switch {
		case f.Name == "needs":
			needs = string(f.Data)
		case f.Name != "left" && !strings.HasPrefix(f.Name, "want/"):
			files = append(files, f)
		}
	}
	return files, needs
}

// TestGolden upgrades each case: Dovecot 2.3 takes it as it is, 2.4 what comes of it,
// and that is what it was the last time.
func TestGolden(t *testing.T) {
	var compared atomic.Int64
	var asked atomic.Bool
	t.Cleanup(func() {
		if n := compared.Load(); n < 80 && asked.Load() {
			t.Errorf("%d settings were compared", n)
		}
	})
	for file, archive := range cases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			input, needs := inputOf(archive)
			dir, after := upgraded(t, input)
			golden := &txtar.Archive{Comment: archive.Comment}
			for _, f := range archive.Files {
				if f.Name != "left" && !strings.HasPrefix(f.Name, "want/") {
					golden.Files = append(golden.Files, f)
				}
			}
			for _, f := range after.Files {
				golden.Files = append(golden.Files, txtar.File{Name: "want/" + f.Name, Data: f.Data})
			}
			var left strings.Builder
			for _, f := range after.NotCarriedOver {
				fmt.Fprintln(&left, strings.ReplaceAll(f.Error(), dir+"/", ""))
			}
			golden.Files = append(golden.Files, txtar.File{Name: "left", Data: []byte(left.String())})
			if got := txtar.Format(golden); !bytes.Equal(got, txtar.Format(archive)) {
				if !*update {
					t.Errorf("%s", diff.Diff("want", txtar.Format(archive), "got", got))
				} else if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			twice(t, after)
			switch needs {
			case "2.4\n":
				accepted(t, "2.4", after.Files)
			case "":
				now := accepted(t, "2.4", after.Files)
				asked.Store(true)
				var before config.Files
				for _, f := range input {
					before = append(before, config.File{Name: f.Name, Data: f.Data})
				}
				compared.Add(int64(same(t, accepted(t, "2.3", before), now)))
			}
		})
	}
}

// twice fails if an upgrade of what was upgraded changes anything.
func twice(t *testing.T, after upgrade.Result) {
	t.Helper()
	var roots []string
	for _, f := range after.Files {
		if f.Name == config.Main || after.Files.Data(config.Main) == nil {
			roots = append(roots, f.Name)
		}
	}
	again := upgrade.Convert(after.Files, roots, roots[0] == config.Main, func(string) []byte { return nil })
	for i, f := range again.Files {
		if !bytes.Equal(f.Data, after.Files[i].Data) {
			t.Errorf("twice: %s", diff.Diff("once", after.Files[i].Data, "twice", f.Data))
		}
	}
	if len(again.NotCarriedOver) > 0 {
		t.Errorf("twice: %v", again.NotCarriedOver)
	}
}

// accepted is what doveconf of a dialect makes of files, which get a main file if they
// are overrides. It fails if doveconf does not take them.
func accepted(t *testing.T, dialect string, files config.Files) dovecot.Settings {
	t.Helper()
	dir := t.TempDir()
	text := string(files.Data(config.Main))
	if text == "" {
		text = "!include *.conf\n"
		if dialect == "2.4" {
			text = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + text
		}
	}
	for _, f := range files {
		dovecottest.Write(t, dir, f.Name, string(f.Data))
	}
	dovecottest.Write(t, dir, "main", text)
	dump, err := dovecottest.Installed(t, dialect, dir).Dump(t.Context(), filepath.Join(dovecottest.Here, "main"), true)
	if err != nil {
		t.Errorf("%s: %v", dialect, err)
	}
	return dovecot.ParseDump(dump)
}

// TestComposed puts configurations together from the statements of the golden files and the
// examples of the table, each of them in one of every round: an upgrade of any is one that
// Dovecot takes, means the same, and is left alone by another one.
func TestComposed(t *testing.T) {
	var statements []string
	beside := map[string]string{}
	var compared atomic.Int64
	t.Cleanup(func() {
		if n := compared.Load(); n < 500 && n > 0 {
			t.Errorf("%d settings were compared", n)
		}
	})
	take := func(files config.Files) {
		for _, f := range files {
			switch taken, other := beside[f.Name]; {
			case filepath.Ext(f.Name) == ".conf":
			case other && taken != string(f.Data):
				return // another file of that name is there
			default:
				beside[f.Name] = string(f.Data)
			}
		}
		for _, f := range files {
			if filepath.Ext(f.Name) == ".conf" {
				statements = append(statements, outermost(string(f.Data))...)
			}
		}
	}
	all := cases(t)
	for _, file := range slices.Sorted(maps.Keys(all)) { // the same each time
		if input, needs := inputOf(all[file]); needs == "" {
			var files config.Files
			for _, f := range input {
				files = append(files, config.File{Name: f.Name, Data: f.Data})
			}
			take(files)
		}
	}
	for _, e := range examples(t, nil) {
		if !strings.Contains(e.want, "cannot be carried over") && !uninstalled[e.name] && !alone[e.name] {
			take(e.files)
		}
	}
	if len(statements) < 400 {
		t.Fatalf("%d statements", len(statements))
	}
	for round := range 3 {
		random := rand.New(rand.NewPCG(uint64(round), 1))
		for i, chunk := range slices.Collect(slices.Chunk(random.Perm(len(statements)), 30)) {
			at := random.IntN(len(chunk))
			t.Run(fmt.Sprint(round, ".", i), func(t *testing.T) {
				t.Parallel()
				var text [2]strings.Builder
				for j, n := range chunk {
					text[min(1, j/(at+1))].WriteString(statements[n] + "\n")
				}
				files := []txtar.File{{Name: "1.conf", Data: []byte(text[0].String())}, {Name: "2.conf", Data: []byte(text[1].String())}}
				for name, data := range beside {
					files = append(files, txtar.File{Name: name, Data: []byte(data)})
				}
				_, after := upgraded(t, files)
				twice(t, after)
				var before config.Files
				for _, f := range files {
					before = append(before, config.File{Name: f.Name, Data: f.Data})
				}
				compared.Add(int64(same(t, accepted(t, "2.3", before), accepted(t, "2.4", after.Files))))
				if t.Failed() {
					t.Logf("%s\n----\n%s", &text[0], &text[1])
				}
			})
		}
	}
}

// outermost are the statements outside of all sections, each with what is in it.
func outermost(text string) (statements []string) {
	lines := strings.SplitAfter(text, "\n")
	depth, from := 0, 0
	for words := range lint.ScanLines([]byte(text)) {
		switch {
		case words.Opens:
			depth++
		case words.Closes:
			depth--
		}
		if depth == 0 && !words.Includes {
			statements = append(statements, strings.Join(lines[from:words.Last], ""))
		}
		if depth == 0 {
			from = words.Last
		}
	}
	return statements
}

// example is what becomes of a construct.
type example struct {
	name, text, want string
	files            config.Files
}

const table = "../lint/examples.txtar"

func examples(t *testing.T, comment *[]byte) (all []example) {
	t.Helper()
	archive, err := txtar.ParseFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if comment != nil {
		*comment = archive.Comment
	}
	for _, f := range archive.Files {
		e := example{name: f.Name}
		e.text, e.want, _ = strings.Cut(string(f.Data), "=>\n")
		parts := strings.Split(e.text, ">> ")
		e.files = config.Files{{Name: "x.conf", Data: []byte(parts[0])}}
		for _, beside := range parts[1:] {
			name, text, _ := strings.Cut(beside, "\n")
			e.files = append(e.files, config.File{Name: name, Data: []byte(text)})
		}
		all = append(all, e)
	}
	return all
}

// TestExamples has one for each row of the table: what comes of it is what it was the last
// time, is left alone by another upgrade, and is taken by Dovecot 2.4.
func TestExamples(t *testing.T) {
	wanted := map[string]bool{}
	for _, section := range []string{"settings", "plugins", "values", "structures", "variables", "rewritten", "modifiers", "letters", "locations", "arguments", "implied", "gone"} {
		for _, row := range lint.TableRows(section) {
			example := section + "/" + row[0]
			if section == "values" || section == "letters" {
				example += "/" + row[1]
			}
			wanted[example] = row[0] != "-"
		}
	}
	var all config.Files
	var golden txtar.Archive
	for _, e := range examples(t, &golden.Comment) {
		after := upgrade.Convert(e.files, []string{"x.conf"}, false, func(string) []byte { return nil })
		got := string(after.Files.Data("x.conf"))
		if got != e.want && !*update {
			t.Errorf("%s: %s", e.name, diff.Diff("want", []byte(e.want), "got", []byte(got)))
		}
		if !wanted[e.name] {
			t.Errorf("%s is no row, or has two examples", e.name)
		}
		wanted[e.name] = false
		if twice(t, after); !uninstalled[e.name] {
			all = append(all, config.File{Name: fmt.Sprintf("%03d.conf", len(all)), Origin: e.name, Data: []byte(got)})
		}
		golden.Files = append(golden.Files, txtar.File{Name: e.name, Data: []byte(e.text + "=>\n" + got)})
	}
	for row, missing := range wanted {
		if missing {
			t.Errorf("%s has no example in %s", row, table)
		}
	}
	if *update {
		if err := os.WriteFile(table, txtar.Format(&golden), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(all); i += 20 {
		if refused(t, all[i:min(i+20, len(all))]) == "" {
			continue
		}
		for _, f := range all[i:min(i+20, len(all))] {
			if why := refused(t, config.Files{f}); why != "" {
				t.Errorf("%s: 2.4 does not take what comes of it: %s\n%s", f.Origin, why, f.Data)
			}
		}
	}
}

// alone are examples that 2.3.19 does not take, or not beside others: files that are read
// are not there.
var alone = map[string]bool{
	"settings/notify_status_dict": true, "settings/imap_compress_deflate_level": true, "values/imapc_features/fetch-size": true, "values/imapc_features/acl": true, "values/protocols/none": true,
	"settings/plugin/mail_crypt_global_private_key": true, "settings/plugin/mail_crypt_global_public_key": true, "settings/plugin/mail_crypt_private_key": true,
}

// uninstalled are rows of plugins that Debian has in packages of their own.
var uninstalled = map[string]bool{"settings/plugin/fts_solr": true}

// refused is why doveconf of 2.4 does not take files.
func refused(t *testing.T, files config.Files) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		dovecottest.Write(t, dir, f.Name, string(f.Data))
	}
	dovecottest.Write(t, dir, "main", "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n!include *.conf\n")
	if _, err := dovecottest.Installed(t, "2.4", dir).Dump(t.Context(), filepath.Join(dovecottest.Here, "main"), true); err != nil {
		return err.Error()
	}
	return ""
}

// TestTooManyFiles: a part of them would look like all.
func TestTooManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 1000 {
		dovecottest.Write(t, dir, fmt.Sprintf("%d.txt", i), "")
	}
	dovecottest.Write(t, dir, "dovecot.conf", "protocols = imap\n")
	for _, path := range []string{dir, dir + "/dovecot.conf"} {
		if _, _, err := upgrade.Load(path); err == nil || !strings.HasSuffix(err.Error(), "has 1000 files and more: name the directory, or the main file, of a configuration") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestTooLarge: what no configuration comes to is not looked at, and takes no time.
func TestTooLarge(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("mail_location = maildir:~/Maildir\n", 40000),
		strings.Repeat("service x {\n", 80000),
		strings.Repeat("passdb {\n}\n", 90000),
		"plugin {\n" + strings.Repeat("imapsieve_mailbox1_name = Junk\n", 36000) + "}\n",
	} {
		after := upgrade.Convert(config.Files{{Name: "x.conf", Data: []byte(text)}}, []string{"x.conf"}, false, func(string) []byte { return nil })
		if !after.TooLarge || len(after.Files) > 0 {
			t.Errorf("%.20q: %d files", text, len(after.Files))
		}
	}
}
