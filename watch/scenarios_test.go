package watch

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// scenario is a series of changes, each of which must wake, or none if quiet.
type scenario struct {
	name    string
	setup   func(b box)
	changes []func(b box)
	quiet   bool
}

func scenarios() []scenario {
	return slices.Concat(editing(), appearing(), replacing(), linking(), kubernetes(), foreign())
}

func changes(list ...func(b box)) []func(b box) { return list }

func editing() []scenario {
	return []scenario{
		{name: "write in place", changes: changes(func(b box) { b.add("o/a.conf", "new") })},
		{name: "truncate and write", changes: changes(func(b box) { b.write("o/a.conf", "new") })},
		{name: "truncate", changes: changes(func(b box) { b.must(os.Truncate(b.at("o/a.conf"), 0)) })},
		{name: "temporary file and rename", changes: changes(
			func(b box) { b.write("o/.a.tmp", "1"); b.move("o/.a.tmp", "o/a.conf") },
			func(b box) { b.write("o/.a.tmp", "2"); b.move("o/.a.tmp", "o/a.conf") },
			func(b box) { b.add("o/a.conf", "3") },
		)},
		{name: "vim", changes: changes(func(b box) {
			b.write("o/4913", "")
			b.remove("o/4913")
			b.move("o/a.conf", "o/a.conf~")
			b.write("o/a.conf", "new")
			b.remove("o/a.conf~")
		}, func(b box) { b.add("o/a.conf", "again") })},
		{name: "emacs", changes: changes(
			func(b box) { b.link("me@host.1:2", "o/.#a.conf") },
			func(b box) { b.hard("o/a.conf", "o/a.conf~"); b.write("o/a.conf", "new") },
			func(b box) { b.remove("o/.#a.conf") },
		)},
		{name: "sed -i", changes: changes(func(b box) {
			b.write("o/sedXYZ", "new")
			b.must(os.Chmod(b.at("o/sedXYZ"), 0o640))
			b.move("o/sedXYZ", "o/a.conf")
		})},
		{name: "delete", changes: changes(func(b box) { b.remove("o/a.conf") })},
		{name: "chmod", changes: changes(func(b box) { b.must(os.Chmod(b.at("o/a.conf"), 0o600)) })},
		{name: "delete and create, often", changes: slices.Repeat(changes(
			func(b box) { b.remove("o/a.conf"); b.write("o/a.conf", "1") },
			func(b box) { b.add("o/a.conf", "2") },
		), 10)},
		{name: "removed while open", changes: changes(func(b box) {
			f, err := os.Open(b.at("o/a.conf"))
			b.must(err)
			b.t.Cleanup(func() { _ = f.Close() })
			b.remove("o/a.conf")
			b.write("o/a.conf", "new")
		}, func(b box) { b.add("o/a.conf", "2") })},
		{name: "certificate in place", changes: changes(func(b box) { b.add("certs/tls.crt", "new") })},
		{name: "names with blanks and odd bytes", changes: changes(
			func(b box) { b.write("o/a b\xe9\n\\.conf", "1") },
			func(b box) { b.add("o/a b\xe9\n\\.conf", "2") },
			func(b box) { b.write("o/...", "3") },
			func(b box) { b.remove("o/a b\xe9\n\\.conf") },
		)},
	}
}

func appearing() []scenario {
	deep := strings.Repeat("d/", 60)
	return []scenario{
		{name: "create", changes: changes(func(b box) { b.write("o/b.conf", "new") })},
		{name: "templates later", changes: changes(
			func(b box) { b.mkdir("o/templates") },
			func(b box) { b.write("o/templates/t", "1") },
			func(b box) { b.add("o/templates/t", "2") },
			func(b box) { b.remove("o/templates") },
			func(b box) { b.write("o/templates/t", "3") },
			func(b box) { b.add("o/templates/t", "4") },
		)},
		{name: "file in a directory, both later", changes: changes(
			func(b box) { b.mkdir("secrets") },
			func(b box) { b.mkdir("secrets/db") },
			func(b box) { b.write("secrets/db/password", "1") },
			func(b box) { b.add("secrets/db/password", "2") },
		)},
		{name: "file in a directory, both at once", changes: changes(
			func(b box) { b.write("secrets/db/password", "1") },
			func(b box) { b.add("secrets/db/password", "2") },
			func(b box) { b.remove("secrets") },
			func(b box) { b.write("secrets/db/password", "3") },
		)},
		{name: "overrides later", setup: func(b box) { b.remove("o") }, changes: changes(
			func(b box) { b.write("o/templates/t", "1") },
			func(b box) { b.add("o/templates/t", "2") },
		)},
		{name: "link before its target", setup: func(b box) { b.link("../far/x", "o/x.conf") }, changes: changes(
			func(b box) { b.write("far/x", "1") },
			func(b box) { b.add("far/x", "2") },
		)},
		{name: "many levels", setup: func(b box) { b.link("../"+deep+"x", "o/x.conf") }, changes: changes(
			func(b box) { b.write(deep+"x", "1") },
			func(b box) { b.add(deep+"x", "2") },
			func(b box) { b.move("d/d/d", "d/d/e") },
		)},
		{name: "moved in from outside", setup: func(b box) { b.write("far/b.conf", "new") }, changes: changes(
			func(b box) { b.move("far/b.conf", "o/b.conf") },
			func(b box) { b.add("o/b.conf", "2") },
		)},
		{name: "moved out", changes: changes(func(b box) { b.move("o/a.conf", "a.conf") })},
	}
}

// foreign are changes to what nobody asked for.
func foreign() []scenario {
	return []scenario{
		{name: "another file beside the certificate", quiet: true, changes: changes(func(b box) { b.write("certs/other", "x") })},
		{name: "another file beside the mount", quiet: true, changes: changes(func(b box) { b.write("other", "x") })},
		{
			name: "below a directory that is not read", setup: func(b box) { b.mkdir("o/sub") }, quiet: true,
			changes: changes(func(b box) { b.write("o/sub/x", "x") }),
		},
		{name: "reading", quiet: true, changes: changes(func(b box) {
			for i := range 10 {
				_, err := os.ReadFile(b.at("o/a.conf"))
				b.must(err)
				_, err = os.ReadDir(b.at(fmt.Sprint("o/", strings.Repeat("../o/", i))))
				b.must(err)
			}
		})},
	}
}
