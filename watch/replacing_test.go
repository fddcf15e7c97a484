package watch

import (
	"slices"
)

func replacing() []scenario {
	return []scenario{
		{name: "directory renamed, another put in its place", setup: func(b box) { b.write("n/a.conf", "new") }, changes: changes(
			func(b box) { b.move("o", "old"); b.move("n", "o") },
			func(b box) { b.add("o/a.conf", "2") },
			func(b box) { b.write("o/b.conf", "3") },
		)},
		{name: "directory renamed and back", changes: changes(
			func(b box) { b.move("o", "old"); b.move("old", "o"); b.write("o/b.conf", "1") },
			func(b box) { b.add("o/b.conf", "2") },
			func(b box) { b.move("o", "old") },
			func(b box) { b.move("old", "o") },
			func(b box) { b.add("o/b.conf", "3") },
		)},
		{name: "directory deleted and made again, often", changes: slices.Repeat(changes(
			func(b box) { b.remove("o"); b.write("o/a.conf", "1") },
			func(b box) { b.write("o/a.conf", "22") },
			func(b box) { b.write("o/b.conf", "3") },
		), 8)},
		{name: "directory deleted", changes: changes(func(b box) { b.remove("o") }, func(b box) { b.write("o/a.conf", "1") })},
		{
			name: "parent replaced", setup: func(b box) {
				b.write("n/tls.crt", "new")
				b.move("certs", "c")
				b.mkdir("certs")
				b.remove("certs")
				b.move("c", "certs")
			},
			changes: changes(
				func(b box) { b.move("certs", "gone"); b.move("n", "certs") },
				func(b box) { b.add("certs/tls.crt", "2") },
			),
		},
		{
			name: "grandparent replaced", setup: func(b box) { b.write("secrets/db/password", "1"); b.write("n/db/password", "new") },
			changes: changes(
				func(b box) { b.move("secrets", "gone"); b.move("n", "secrets") },
				func(b box) { b.add("secrets/db/password", "2") },
			),
		},
		{name: "directories exchanged", setup: func(b box) { b.write("n/a.conf", "new") }, changes: changes(
			func(b box) { b.exchange("o", "n") },
			func(b box) { b.add("o/a.conf", "2") },
			func(b box) { b.exchange("o", "n") },
			func(b box) { b.add("o/a.conf", "3") },
		)},
		{name: "files exchanged", setup: func(b box) { b.write("certs/n", "new") }, changes: changes(
			func(b box) { b.exchange("certs/tls.crt", "certs/n") },
			func(b box) { b.add("certs/tls.crt", "2") },
			func(b box) { b.exchange("certs/tls.crt", "certs/n") },
			func(b box) { b.add("certs/tls.crt", "3") },
		)},
		{name: "file becomes a directory and back", changes: changes(
			func(b box) { b.remove("certs/tls.crt"); b.mkdir("certs/tls.crt") },
			func(b box) { b.remove("certs/tls.crt"); b.write("certs/tls.crt", "1") },
			func(b box) { b.add("certs/tls.crt", "2") },
		)},
		{name: "overrides become a file and back", changes: changes(
			func(b box) { b.remove("o"); b.write("o", "") },
			func(b box) { b.remove("o"); b.write("o/a.conf", "1") },
			func(b box) { b.add("o/a.conf", "2") },
		)},
	}
}
