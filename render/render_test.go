package render_test

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pidgeon/config"
	"pidgeon/render"
)

// one is an input with a single override.
func one(t *testing.T, name, data string) render.Input {
	t.Helper()
	in := input(t, "2.4", load(t, "COLOUR=green", "FRUIT=pear"))
	in.Overrides = config.Files{override(name, data)}
	return in
}

func TestRenderOverride(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"10-x.conf", "{{ not a template }}\r\n", "{{ not a template }}\r\n"},
		{"10-x.conf", "no line end", "no line end"},
		{"10-x.conf", "", ""},
		{"10-x.conf.tmpl", "{{ .Env.COLOUR }}", "green\n"},
		{"10-x.conf.tmpl", "{{ env \"COLOUR\" }}\n", "green\n"},
		// What the hint for a missing variable says to write.
		{"10-x.conf.tmpl", `{{ get .Env "SHAPE" | default "round" }}`, "round\n"},
		{"10-x.conf.tmpl", "{{- /* nothing */ -}}", ""},
		{"10-x.conf.tmpl", `{{ value "a#b" }} {{ value 7 }} {{ value "" }}`, "\"a#b\" 7 \"\"\n"},
		{"10-x.conf.tmpl", "{{ range $i := until 3 }}{{ $i }},{{ end }}", "0,1,2,\n"},
		{"10-x.conf.tmpl", "{{ untilStep 6 0 -2 }} {{ untilStep 0 3 0 }}", "[6 4 2] []\n"},
		{"10-x.conf.tmpl", "{{ seq 3 }}|{{ seq 2 4 }}|{{ seq 1 2 5 }}|{{ seq 5 -2 1 }}|{{ seq 0 }}", "1 2 3|2 3 4|1 3 5|5 3 1|\n"},
		{"10-x.conf.tmpl", `{{ repeat 3 "ab" }}`, "ababab\n"},
		{"10-x.conf.tmpl", `{{ $d := dict "b" 1 "a" 2 }}{{ keys $d | join " " }} {{ values $d | join " " }}`, "a b 2 1\n"},
		{"10-x.conf.tmpl", `{{ (.Sizes.Service "imap-login").Capacity }}`, "1030\n"},
	}
	for _, tt := range tests {
		t.Run(tt.data, func(t *testing.T) {
			if got := text(t, renderAll(t, one(t, tt.name, tt.data)), "overrides/10-x.conf"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRenderFaults(t *testing.T) {
	const mine = "/overrides/10-x.conf.tmpl"
	const missing = `: set the variable, or write {{ get .Env "NAME" | default "…" }}`
	const unknown = ": the functions are those of sprig that give the same result each time, and value"
	tests := []struct{ name, data, want string }{
		{"missing variable", "\n{{ .Env.SHAPE }}", mine + `:2: map has no entry for key "SHAPE"` + missing},
		{"missing variable by function", "\n\n{{ env \"SHAPE\" }}", mine + `:3: error calling env: environment variable SHAPE is not set`},
		{"missing field", "{{ .Colour }}", mine + ":1: can't evaluate field Colour in type render.Data"},
		{"unclosed action", "a\n{{ .Env", mine + ":2: unclosed action"},
		{"unclosed range", "{{ range until 3 }}\n\n", mine + ":3: unexpected EOF"},
		{"stray end", "\n{{ end }}", mine + ":2: unexpected {{end}}"},
		{"unknown function", "{{ bogus 1 }}", mine + `:1: function "bogus" not defined` + unknown},
		{"function of chance", "\n{{ randAlphaNum 5 }}", mine + `:2: function "randAlphaNum" not defined` + unknown},
		{"clock", "{{ now }}", mine + `:1: function "now" not defined` + unknown},
		{"unknown template", `{{ template "nothing" }}`, mine + `:1: template "nothing" not defined` + unknown},
		{"fail", "{{ if eq .Env.COLOUR \"green\" }}\n{{ fail \"no green: please\" }}{{ end }}", mine + ":2: error calling fail: no green: please"},
		{"value with a line end", `{{ value "a\nb" }}`, mine + `:1: error calling value: the value holds a line end or a NUL byte, which no Dovecot setting can`},
		{"sprig panics", `{{ first 5 }}`, mine + ":1: error calling first: Cannot find first on type int"},

		{"output without end", `{{ range until 100000 }}{{ repeat 100 "x" }}{{ end }}`, mine + ": it writes more than 4 MiB: look for a loop that does not end"},
		{"repeat", `{{ repeat 5000000 "x" }}`, mine + ":1: error calling repeat: repeat 5000000: more than 4 MiB, or negative"},
		{"repeat of a long text", `{{ repeat 50000 (repeat 1000 "x") }}`, mine + ":1: error calling repeat: repeat 50000: more than 4 MiB, or negative"},
		{"repeat that overflows", `{{ repeat 4611686018427387904 "xxxx" }}`, mine + ":1: error calling repeat: repeat 4611686018427387904: more than 4 MiB, or negative"},
		{"repeat of nothing", `{{ repeat 9223372036854775807 "" }}`, mine + ":1: error calling repeat: repeat 9223372036854775807: more than 4 MiB, or negative"},
		{"negative repeat", `{{ repeat -1 "x" }}`, mine + ":1: error calling repeat: repeat -1: more than 4 MiB, or negative"},
		{"until", `{{ range $i := until 1000000000000 }}{{ end }}`, mine + ":1: error calling until: more than 100000 numbers"},
		{"untilStep", `{{ untilStep 0 -9223372036854775807 -1 }}`, mine + ":1: error calling untilStep: more than 100000 numbers"},
		{"untilStep that overflows", `{{ untilStep 0 9223372036854775807 9000000000000000000 }}`, mine + ":1: error calling untilStep: more than 100000 numbers"},
		{"seq", `{{ seq 100001 }}`, mine + ":1: error calling seq: more than 100000 numbers"},
		{"seq without step", `{{ seq 1 0 5 }}`, mine + ":1: error calling seq: seq with step 0 never ends"},
		{"seq without numbers", `{{ seq }}`, mine + ":1: error calling seq: seq wants one to three numbers"},
		{"indent", `{{ len (indent 50000000 "x") }}`, mine + ":1: error calling indent: indent 50000000: more than 4 MiB, or negative"},
		{"nindent", `{{ len (nindent 50000000 "x") }}`, mine + ":1: error calling nindent: indent 50000000: more than 4 MiB, or negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := complaint(t, one(t, "10-x.conf.tmpl", tt.data)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Recursion ends with an error, not with the stack of the process.
func TestRenderRecursion(t *testing.T) {
	begin := time.Now()
	got := complaint(t, one(t, "10-x.conf.tmpl", `{{ define "again" }}{{ template "again" . }}{{ end }}{{ template "again" . }}`))
	if want := "/overrides/10-x.conf.tmpl:1: exceeded maximum template depth (100000)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Every template that fails is named, not the first alone.
func TestRenderAllFaults(t *testing.T) {
	in := one(t, "10-x.conf.tmpl", "{{ .Env.A }}")
	in.Overrides = append(in.Overrides, override("20-y.conf", "fine"), override("30-z.conf.tmpl", "\n{{ .Env.B }}"), override("40-z.conf.tmpl", "{{"))
	in.Templates = config.Files{override("templates/40-mail.conf", "{{ .Env.C }}")}
	want := []string{
		`/overrides/templates/40-mail.conf:1: map has no entry for key "C": set the variable, or write {{ get .Env "NAME" | default "…" }}`,
		`/overrides/10-x.conf.tmpl:1: map has no entry for key "A": set the variable, or write {{ get .Env "NAME" | default "…" }}`,
		`/overrides/30-z.conf.tmpl:2: map has no entry for key "B": set the variable, or write {{ get .Env "NAME" | default "…" }}`,
		`/overrides/40-z.conf.tmpl:1: unclosed action`,
	}
	if got := strings.Split(complaint(t, in), "\n"); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Both templates that cannot be parsed are named, each with its own place.
func TestRenderUnparsableTemplates(t *testing.T) {
	in := input(t, "2.4", load(t))
	in.Templates = config.Files{override("templates/40-mail.conf", "{{ end }}"), override("templates/90-x.conf.tmpl", "\n{{ if }}")}
	want := []string{
		"/overrides/templates/40-mail.conf:1: unexpected {{end}}",
		"/overrides/templates/90-x.conf.tmpl:2: missing value for if",
	}
	if got := strings.Split(complaint(t, in), "\n"); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A fault in a definition is in the file of the definition, not in that of the
// file that uses it.
func TestRenderFaultInADefinition(t *testing.T) {
	in := one(t, "10-x.conf.tmpl", "\n\n\n{{ template \"colour\" . }}")
	in.Templates = config.Files{override("templates/parts", "\n{{ define \"colour\" }}{{ .Env.SHAPE }}{{ end }}")}
	want := `/overrides/templates/parts:2: map has no entry for key "SHAPE": set the variable, or write {{ get .Env "NAME" | default "…" }}`
	if got := complaint(t, in); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRenderTemplates(t *testing.T) {
	in := one(t, "10-x.conf.tmpl", `{{ template "colour" . }}`)
	in.Templates = config.Files{
		override("templates/40-mail.conf", "# mine\n"),
		override("templates/parts.tmpl", `{{ define "colour" }}is {{ .Env.COLOUR }}{{ end }}`),
		override("templates/99-last.conf.tmpl", `{{ template "colour" . }} too`),
	}
	files := renderAll(t, in)
	for name, want := range map[string]string{
		"conf.d/40-mail.conf": "# mine\n", "overrides/10-x.conf": "is green\n", "conf.d/99-last.conf": "is green too\n",
	} {
		if got := text(t, files, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	main := text(t, files, config.Main)
	last, mine := strings.Index(main, "!include conf.d/99-last.conf\n"), strings.Index(main, "!include overrides/10-x.conf\n")
	if last < 0 || mine < last {
		t.Errorf("overrides are not included last:\n%s", main)
	}
	for _, f := range files {
		if strings.Contains(f.Name, "parts") {
			t.Errorf("%s holds definitions alone and is a file of its own", f.Name)
		}
	}
}

// What an override defines is its own: it disturbs neither the templates nor
// another override.
func TestRenderOverridesKeepToThemselves(t *testing.T) {
	in := one(t, "10-x.conf.tmpl", `{{ define "colour" }}red{{ end }}{{ template "colour" . }}`)
	in.Overrides = append(in.Overrides, override("20-y.conf.tmpl", `{{ template "colour" . }}`))
	in.Templates = config.Files{override("templates/parts", `{{ define "colour" }}blue{{ end }}`)}
	files := renderAll(t, in)
	if x, y := text(t, files, "overrides/10-x.conf"), text(t, files, "overrides/20-y.conf"); x != "red\n" || y != "blue\n" {
		t.Errorf("got %q and %q, want red and blue", x, y)
	}
}

// An override with the name of a built-in template is still an override.
func TestRenderOverrideNamedLikeATemplate(t *testing.T) {
	in := one(t, "40-mail.conf.tmpl", "# mine")
	in.Overrides = append(in.Overrides, override("dovecot.conf", "# main\n"))
	files := renderAll(t, in)
	if got := text(t, files, "overrides/40-mail.conf"); got != "# mine\n" {
		t.Errorf("override: %q", got)
	}
	if got := text(t, files, "conf.d/40-mail.conf"); !strings.Contains(got, "mail_driver") {
		t.Errorf("template: %q", got)
	}
	if got := text(t, files, config.Main); !strings.Contains(got, "!include overrides/dovecot.conf\n") {
		t.Errorf("main file: %q", got)
	}
}

func TestRenderFaultInMain(t *testing.T) {
	in := input(t, "2.4", load(t))
	in.Templates = config.Files{override("templates/dovecot.conf", "\n{{ .Env.SHAPE }}")}
	want := `/overrides/templates/dovecot.conf:2: map has no entry for key "SHAPE": set the variable, or write {{ get .Env "NAME" | default "…" }}`
	if got := complaint(t, in); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRenderWithoutCertificate(t *testing.T) {
	for _, f := range renderAll(t, input(t, "2.4", load(t, "TLS=no"))) {
		if strings.HasPrefix(f.Name, "tls.") {
			t.Errorf("%s is rendered though TLS is off", f.Name)
		}
	}
}

func TestRenderModes(t *testing.T) {
	for _, f := range renderAll(t, one(t, "10-x.conf", "")) {
		want := fs.FileMode(0o640)
		switch f.Name {
		case "tls.key":
			want = 0o600
		case "users":
			want = config.AuthFileMode
		}
		if f.Mode != want {
			t.Errorf("%s has mode %04o, want %04o", f.Name, f.Mode, want)
		}
	}
}

func TestRenderUsers(t *testing.T) {
	in := input(t, "2.3", load(t, "USERS=alice:secret,bob:{SHA256}abc"))
	want := "alice:{PLAIN.b64}c2VjcmV0::::::\nbob:{SHA256}abc::::::\n"
	if got := text(t, renderAll(t, in), "users"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Two renderings are equal to the byte: bytes decide whether there is a reload.
func TestRenderRepeats(t *testing.T) {
	environ := []string{"PROTOCOLS=imap,pop3,lmtp,sieve,submission", "RELAY_HOST=postfix", "USERS=a:a,b:b,c:c"}
	for i := range 30 {
		environ = append(environ, fmt.Sprintf("FRUIT_%d=%d", i, i*7919%31))
	}
	in := input(t, "2.3", load(t, environ...))
	in.Overrides = config.Files{override("10-x.conf.tmpl", `
{{ range $k, $v := .Env }}{{ $k }}={{ $v }} {{ end }}
{{ .Env }} {{ .Env | toJson }} {{ .Env | toPrettyJson }} {{ toString .Env }}
{{- $d := dict }}{{ range $k, $v := .Env }}{{ $_ := set $d $k (dict "a" $v "b" $k) }}{{ end }}
{{ $d }} {{ keys $d }} {{ values $d }} {{ pick $d "FRUIT_1" "FRUIT_2" "FRUIT_3" }} {{ omit $d "FRUIT_9" }} {{ merge (dict) $d }} {{ deepCopy $d }}
{{ urlParse "http://u@h/p?b=1&a=2" }} {{ fromJson "{\"b\":1,\"a\":[1,2]}" }} {{ splitn "," 9 "a,b,c,d,e" }} {{ .Settings }}
`)}
	in.Templates = config.Files{override("templates/b", `{{ define "x" }}b{{ end }}`), override("templates/a", `{{ define "x" }}a{{ end }}`)}
	first := renderAll(t, in)
	for range 50 {
		if again := renderAll(t, in); !reflect.DeepEqual(first, again) {
			t.Fatalf("the second rendering differs:\n%s\n%s", text(t, first, "overrides/10-x.conf"), text(t, again, "overrides/10-x.conf"))
		}
	}
}

// A value of the environment may be a secret, and an error goes into logs.
func TestErrorsHoldNoValue(t *testing.T) {
	for _, text := range []string{
		`{{ value .Env.PASSWORD }}`, `{{ fail .Env.PASSWORD }}`, `{{ fail (.Env.PASSWORD | quote) }}`, `{{ first (index .Env "PASSWORD") }}`,
		`{{ .Env.PASSWORD | mustToJson | mustFromJson | fail }}`, `{{ fail (printf "%s%s" .Env.PASSWORD .Env.PART) }}`, `{{ index .Env.PASSWORD "x" }}`,
	} {
		in := one(t, "10-x.conf.tmpl", text)
		in.Data.Env["PASSWORD"], in.Data.Env["PART"] = "hunter2\nand more", "hunter2"
		if got := complaint(t, in); strings.Contains(got, "hunter2") || strings.Contains(got, "and more") {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// The process environment is not part of the input.
func TestRenderIgnoresTheProcess(t *testing.T) {
	t.Setenv("SHAPE", "square")
	if got := complaint(t, one(t, "10-x.conf.tmpl", `{{ env "SHAPE" }}`)); !strings.Contains(got, "SHAPE is not set") {
		t.Errorf("got %q", got)
	}
	if got := complaint(t, one(t, "10-x.conf.tmpl", `{{ expandenv "$SHAPE" }}`)); !strings.Contains(got, "not defined") {
		t.Errorf("got %q", got)
	}
}

func listing(files config.Files) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%s %s %v %q\n", f.Name, f.Origin, f.Mode, f.Data)
	}
	return b.String()
}

func TestFor(t *testing.T) {
	in := one(t, "10-x.conf.tmpl", "# {{ .Dir }}/y\n")
	for _, dir := range []string{"/var/lib/pidgeon/good", "/x", here + "7", here} {
		files := renderAll(t, in)
		moved := files.Relocate(dir)
		in := in
		in.Data.Dir = dir
		if want := renderAll(t, in); listing(moved) != listing(want) {
			t.Errorf("moved to %s: %s", dir, firstDifference(listing(moved), listing(want)))
		}
		if want := renderAll(t, one(t, "10-x.conf.tmpl", "# {{ .Dir }}/y\n")); listing(files) != listing(want) {
			t.Errorf("moving to %s changes what was there", dir)
		}
		if back := moved.Relocate(here); listing(back) != listing(files) {
			t.Errorf("back from %s: %s", dir, firstDifference(listing(back), listing(files)))
		}
	}
	none := config.Files{{Name: "x", Data: []byte("/a/b")}}
	if got := none.Relocate("/c"); listing(got) != listing(none) {
		t.Errorf("files that do not tell where they were rendered for became %v", got)
	}
}

func TestRenderNoMain(t *testing.T) {
	_, err := render.Render(render.Input{Builtin: fstest.MapFS{"10-x.conf": {Data: []byte("x")}}})
	if err == nil {
		t.Error("templates without a main file give a configuration")
	}
}
