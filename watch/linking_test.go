package watch

func linking() []scenario {
	return []scenario{
		{name: "link of the directory swapped", setup: func(b box) {
			b.move("o", "r1")
			b.write("r2/a.conf", "new")
			b.link("r1", "o")
		}, changes: changes(
			func(b box) { b.relink("r2", "o") },
			func(b box) { b.add("r2/a.conf", "2") },
			func(b box) { b.relink("r1", "o") },
		)},
		{name: "link on the way swapped", setup: func(b box) {
			b.write("v1/etc/o/a.conf", "1")
			b.write("v2/etc/o/a.conf", "new")
			b.link("v1", "current")
			b.remove("o")
			b.link(b.at("current/etc/o"), "o")
		}, changes: changes(
			func(b box) { b.relink("v2", "current") },
			func(b box) { b.move("v2/etc", "v2/gone") },
		)},
		{name: "chain of links", setup: func(b box) {
			b.write("z/1", "1")
			b.write("z/2", "new")
			b.link("../y/link", "o/x.conf")
			b.link("../z/1", "y/link")
		}, changes: changes(
			func(b box) { b.add("z/1", "1") },
			func(b box) { b.relink("../z/2", "y/link") },
			func(b box) { b.write("z/t", "3"); b.move("z/t", "z/2") },
			func(b box) { b.remove("y/link") },
		)},
		{name: "certbot", setup: func(b box) {
			b.write("archive/cert1.pem", "1")
			b.link("../archive/cert1.pem", "live/cert.pem")
			b.remove("certs/tls.crt")
			b.link("../live/cert.pem", "certs/tls.crt")
		}, changes: changes(
			func(b box) { b.write("archive/cert2.pem", "2"); b.relink("../archive/cert2.pem", "live/cert.pem") },
			func(b box) { b.add("archive/cert2.pem", "more") },
			func(b box) { b.remove("live/cert.pem"); b.link("../archive/cert1.pem", "live/cert.pem") },
		)},
		{
			name: "write through a hard link", setup: func(b box) { b.mkdir("far"); b.hard("o/a.conf", "far/a"); b.hard("certs/tls.crt", "far/c") },
			changes: changes(func(b box) { b.add("far/a", "new") }, func(b box) { b.add("far/c", "new") }),
		},
		{name: "hard link made later", setup: func(b box) { b.mkdir("far") }, changes: changes(
			func(b box) { b.hard("o/a.conf", "far/a") },
			func(b box) { b.add("far/a", "new") },
			func(b box) { b.write("o/t", "3"); b.move("o/t", "o/a.conf") },
			func(b box) { b.add("o/a.conf", "4") },
		)},
		{name: "inode under a name that is gone", setup: func(b box) {
			b.write("far/one", "1")
			b.hard("far/one", "far/two")
			b.hard("far/one", "far/three")
			b.link("../far/one", "o/x.conf")
		}, changes: changes(
			func(b box) { b.relink("../far/two", "o/x.conf"); b.remove("far/one") },
			func(b box) { b.add("far/three", "2") },
		)},
		{
			name: "loop, then a file", setup: func(b box) { b.link("y.conf", "o/x.conf"); b.link("x.conf", "o/y.conf"); b.link("l", "l") },
			changes: changes(
				func(b box) { b.remove("o/y.conf"); b.write("o/y.conf", "1") },
				func(b box) { b.add("o/y.conf", "2") },
			),
		},
		{
			name: "loop of directories", setup: func(b box) { b.link("../o", "o/o"); b.link("..", "o/up"); b.link("../o/o/o/up/o/a.conf", "o/x.conf") },
			changes: changes(func(b box) { b.add("o/a.conf", "2") }),
		},
	}
}

func kubernetes() []scenario {
	next := func(dir, id string) func(b box) {
		return func(b box) {
			b.generation(dir, id, map[string]string{"a.conf": id, "tls.crt": id, "password": id})
		}
	}
	return []scenario{
		{
			name: "ConfigMap", setup: func(b box) { b.remove("o"); next("o", "0")(b) },
			changes: changes(next("o", "1"), next("o", "2"), next("o", "3"), next("o", "4")),
		},
		{name: "ConfigMap with a new key", setup: func(b box) { b.remove("o"); next("o", "0")(b) }, changes: changes(
			func(b box) { b.generation("o", "1", map[string]string{"a.conf": "0", "b.conf": "1"}) },
			func(b box) { b.remove("o/b.conf"); next("o", "2")(b) },
		)},
		{
			name: "Secret as a file", setup: func(b box) { b.remove("certs"); next("certs", "0")(b); next("secrets/db", "0")(b) },
			changes: changes(next("certs", "1"), next("secrets/db", "1"), next("certs", "2"), next("secrets/db", "2")),
		},
		{name: "Secret, identical link under another directory", setup: func(b box) {
			b.remove("certs")
			next("vault", "0")(b)
			b.link("../vault/tls.crt", "certs/tls.crt")
		}, changes: changes(next("vault", "1"), next("vault", "2"))},
	}
}
