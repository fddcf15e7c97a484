package mount

import "strings"

func ordinary() []scenario {
	return []scenario{
		{"empty", func(mount) {}, found{}},
		{"order of the final names", func(m mount) {
			for _, name := range []string{"b.conf", "a.conf.tmpl", "a-b.conf", "10-x.conf", "9-x.conf", "B.conf", "aa.conf"} {
				m.write(name, name)
			}
		}, found{conf: []string{
			"10-x.conf=10-x.conf", "9-x.conf=9-x.conf", "B.conf=B.conf", "a-b.conf=a-b.conf",
			"a.conf.tmpl=a.conf.tmpl", "aa.conf=aa.conf", "b.conf=b.conf",
		}}},
		{
			"any bytes", func(m mount) { m.write("a.conf", "\x00\xff\xe9\r\n") },
			found{conf: []string{"a.conf=\x00\xff\xe9\r\n"}},
		},
		{"Latin-1 name", func(m mount) { m.write("caf\xe9.conf", "x") }, found{conf: []string{"caf\xe9.conf=x"}}},
		{
			"blank and quote inside a name", func(m mount) { m.write("it's mine.conf", "x") },
			found{conf: []string{"it's mine.conf=x"}},
		},
		{
			"templates", func(m mount) { m.write("templates/10-auth", "t"); m.write("templates/x.conf.tmpl", "u") },
			found{templates: []string{"templates/10-auth=t", "templates/x.conf.tmpl=u"}},
		},
		{"inside templates", func(m mount) {
			m.write("templates/.x.swp", "")
			m.write("templates/x~", "")
			m.mkdir("templates/sub")
		}, found{ignored: []string{
			"templates/.x.swp: left by an editor", "templates/sub: directory", "templates/x~: left by an editor",
		}}},
		{
			"templates as a file", func(m mount) { m.write("templates", "") },
			found{ignored: []string{"templates: templates is not a directory"}},
		},
		{"not ours", func(m mount) {
			m.write("README.md", "")
			m.write("dovecot.cf", "")
			m.write("x.cnf", "")
			m.write("X.CONF", "")
			m.write("conf", "")
			m.write("x.tmpl", "")
			m.write("conf.d/x.conf", "")
			m.mkdir("dir.conf")
		}, found{ignored: []string{
			"README.md: not *.conf", "X.CONF: not *.conf", "conf: not *.conf", "conf.d: directory", "dir.conf: directory", "dovecot.cf: not *.conf, *.conf.tmpl or templates/: rename it to dovecot.conf", "x.cnf: not *.conf", "x.tmpl: not *.conf",
		}}},
		{"editors", func(m mount) {
			for _, name := range []string{"x.conf~", ".x.conf.swp", "x.swp", "4913", "x.conf.bak", ".conf", "#x.conf#", "x.conf.orig"} {
				m.write(name, "")
			}
			m.link("me@host.1:2", ".#x.conf")
		}, found{ignored: []string{
			"#x.conf#: not *.conf", ".#x.conf: left by an editor", ".conf: hidden", ".x.conf.swp: left by an editor",
			"4913: left by an editor", "x.conf.bak: backup", "x.conf.orig: backup", "x.conf~: left by an editor",
			"x.swp: left by an editor",
		}}},
		{
			"both x.conf and x.conf.tmpl", func(m mount) { m.write("x.conf", ""); m.write("x.conf.tmpl", "") },
			found{conf: []string{"x.conf", "x.conf.tmpl"}, faults: []string{`/x.conf.tmpl": both become "x.conf"`}},
		},
		{"names Dovecot would interpret", func(m mount) {
			for _, name := range strings.Split("*?[]{}\"\\#\n\t\x7f", "") {
				m.write("a"+name+"b.conf", "")
			}
			m.write("templates/a\nb", "")
		}, found{faults: []string{
			`'*'`, `'?'`, `'['`, `']'`, `'{'`, `'}'`, `'"'`, `'\\'`, `'#'`,
			`a\nb.conf": the name contains the control character 0x0a`, "0x09", "0x7f", `templates/a\nb": the name`,
		}}},
		{
			"blanks around a name", func(m mount) { m.write(" x.conf", ""); m.write("y.conf ", ""); m.write("z.conf\n", "") },
			found{faults: []string{`/ x.conf": the name begins or ends`, `/y.conf ": the name begins or ends`, `z.conf\n": the name contains`}},
		},
	}
}

func linked() []scenario {
	return []scenario{
		{
			"link inside", func(m mount) { m.write("data/x", "in"); m.link("data/x", "x.conf") },
			found{conf: []string{"x.conf=in"}, ignored: []string{"data: directory"}},
		},
		{"link outside", func(m mount) {
			other := mount{m.t, m.t.TempDir()}
			other.write("x", "out")
			m.link(other.at("x"), "x.conf")
		}, found{conf: []string{"x.conf=out"}}},
		{"chain of links", func(m mount) {
			m.write("x.txt", "far")
			m.link("x.txt", "b")
			m.link("b", "a")
			m.link("a", "x.conf")
		}, found{conf: []string{"x.conf=far"}, ignored: []string{"a: not *.conf", "b: not *.conf", "x.txt: not *.conf"}}},
		{
			"templates through a link", func(m mount) { m.write("other/t", "x"); m.link("other", "templates") },
			found{templates: []string{"templates/t=x"}, ignored: []string{"other: directory"}},
		},
		{"dangling", func(m mount) {
			m.link("nowhere", "x.conf")
			m.link("nowhere", "notes")
			m.link("/dev/null/x", "y.conf")
			m.link("nowhere", "templates")
		}, found{
			ignored: []string{"notes: symbolic link to nothing"},
			faults:  []string{`/templates": symbolic link to nothing`, `/x.conf": symbolic link to nothing`, `/y.conf": symbolic link to nothing`},
		}},
		{"loop", func(m mount) {
			m.link("x.conf", "y.conf")
			m.link("y.conf", "x.conf")
			m.link("self", "self")
		}, found{
			ignored: []string{"self: symbolic links that lead in a circle"},
			faults:  []string{`/x.conf": symbolic links that lead in a circle`, `/y.conf": symbolic links that lead in a circle`},
		}},
		{
			"link to a directory", func(m mount) { m.mkdir("d"); m.link("d", "x.conf") },
			found{ignored: []string{"d: directory", "x.conf: directory"}},
		},
		{
			"one good, one dangling", func(m mount) { m.write("a.conf", "ok"); m.link("nowhere", "b.conf") },
			found{conf: []string{"a.conf=ok"}, faults: []string{`reading override "`}},
		},
	}
}
