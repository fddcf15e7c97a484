package render_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pidgeon/config"
	"pidgeon/render"
	"pidgeon/settings"
)

func attribute(t testing.TB, in render.Input) map[string][][]string {
	t.Helper()
	lines, err := render.Attribute(in)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestAttributeLines(t *testing.T) {
	tests := []struct {
		name, template string
		want           []string // the fields of each line that is rendered
	}{
		{"plain text", "a = 1\n", []string{""}},
		{"an action", "a = {{ .Settings.TLS }}\nb = 1\n", []string{"Settings.TLS", ""}},
		{"an action that writes nothing", "a = {{ .User }}\nb = 1\n", []string{"User", ""}},
		{"an action that writes lines", "a = 1\n{{- nindent 2 .Dir }}\nb = 1\n", []string{"", "Dir", ""}},
		{"arguments", "a = {{ printf \"%d %s\" .MailUID (.Settings.TLS | upper) | value }}\n", []string{"MailUID Settings.TLS"}},
		{"a name in the environment", `a = {{ .Env.COLOUR }}{{ env "FRUIT" }}{{ get .Env "SHAPE" | default "round" }}{{ index .Env "COLOUR" }}`, []string{"Env.COLOUR Env.FRUIT Env.SHAPE"}},
		{"a method", "a = {{ .FirstUID }}\n", []string{"FirstUID"}},
		{"a service", `a = {{ (.Sizes.Service "auth").ClientLimit }}`, []string{"Sizes.Service.auth.ClientLimit"}},
		{
			"a condition", "a = 1\n{{- if .User }}\nb = 2\n{{- else }}\nc = {{ .Group }}\n{{- end }}\nd = 1\n",
			[]string{"", "Group User", ""},
		},
		{"an else if", "{{- if .User }}\nb = 2\n{{- else if .Dir }}\nc = 1\n{{- end }}\n", []string{"", "Dir User"}},
		{"a condition on a part of a line", "a = 1{{ if .User }} 2{{ end }}\nb = 1\n", []string{"User", ""}},
		{"a condition that only sets a variable", "{{ $x := 1 }}a = 1\n{{- if .User }}{{ $x = 2 }}{{ end }}\nb = {{ $x }}\n", []string{"", "User"}},
		{"a variable", "{{ $x := .Dir }}{{ if .User }}{{ $x = .Group }}{{ end -}}\na = {{ $x }}\nb = 1", []string{"Dir Group User", ""}},
		{"a variable within", "{{ $x := 1 }}{{ if $x := .User }}{{ $x }}{{ end -}}\na = {{ $x }}\n", []string{"User"}},
		{"with", "{{ with .Settings }}\na = {{ .TLS }}{{ $.User }}\n{{ end }}", []string{"", "Settings.TLS User", ""}},
		{"with a condition", "{{ with .User }}\na = 1\n{{ else }}\na = {{ .Dir }}\n{{ end }}", []string{"", "Dir User", ""}},
		{"range", "{{ range .Settings.Protocols }}\na = {{ . }}{{ end }}\n", []string{"", "Settings.Protocols", "Settings.Protocols"}},
		{"range with variables", "{{ range $i, $p := .Settings.Protocols }}\na = {{ $i }}{{ end }}", []string{"", "Settings.Protocols", "Settings.Protocols"}},
		{"range over nothing", "{{ range .Includes }}\na = {{ . }}{{ end }}\nb = 1\n", []string{"", ""}},
		{"a service of all", "{{ range .Sizes.Services }}{{ if eq .Name \"auth\" }}\na = {{ .ClientLimit }}{{ end }}{{ end }}\nb = 1\n", []string{"", "Sizes.Service.auth Sizes.Service.auth.ClientLimit Sizes.Service.auth.Name", ""}},
		{"continue", "{{ range .Settings.Protocols }}{{ if $.User }}{{ continue }}{{ end }}\na = {{ . }}{{ end }}\nb = 1\n", []string{"", "Settings.Protocols User", "Settings.Protocols User", ""}},
		{"break", "{{ range .Settings.Protocols }}\na = {{ . }}{{ if $.User }}{{ break }}{{ end }}{{ end }}\nb = 1\n", []string{"", "Settings.Protocols User", "Settings.Protocols User", ""}},
		{"what the last round set", "{{ $x := 1 }}{{ range .Settings.Protocols }}\na = {{ $x }}{{ $x = $.User }}{{ end }}", []string{"", "Settings.Protocols User", "Settings.Protocols User"}},
		{
			"a definition with two callers", `{{ define "x" }}a = {{ . }}{{ $ }}` + "\n{{ end }}" + `{{ template "x" .Settings.IMAPMode }}{{ if not .User }}{{ template "x" .Settings.POP3Mode }}{{ end }}`,
			[]string{"Settings.IMAPMode", "Settings.POP3Mode User"},
		},
		{"a definition without a dot", `{{ define "x" }}a = 1{{ end }}{{ template "x" }}`, []string{""}},
		{"a call that sets a variable", `{{ define "x" }}{{ . }}{{ end }}{{ template "x" $y := .Dir }}` + "\na = {{ $y }}", []string{"Dir", "Dir"}},
		{"a definition that calls itself", `{{ define "x" }}a = {{ len . }}` + "\n" + `{{ if . }}{{ template "x" (rest .) }}{{ end }}{{ end }}{{ template "x" .Settings.Protocols }}`, []string{"Settings.Protocols", "Settings.Protocols", "Settings.Protocols"}},
		{"a dict", `{{ define "x" }}a = {{ .root.Settings.TLS }}{{ end }}{{ template "x" (dict "root" $ "port" 1) }}`, []string{"root.Settings.TLS"}},
		{"a definition of the built-in templates", `{{ template "10-base.conf" . }}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := one(t, "10-x.conf.tmpl", tt.template)
			var got []string
			for _, fields := range attribute(t, in)["/overrides/10-x.conf.tmpl"] {
				got = append(got, strings.Join(fields, " "))
			}
			for len(got) > 0 && got[len(got)-1] == "" {
				got = got[:len(got)-1]
			}
			want := slices.Clone(tt.want)
			for len(want) > 0 && want[len(want)-1] == "" {
				want = want[:len(want)-1]
			}
			if tt.want != nil && !slices.Equal(got, want) {
				t.Errorf("%s\n got %q\nwant %q", text(t, renderAll(t, in), "overrides/10-x.conf"), got, want)
			}
		})
	}
}

// Whatever an operator writes, each line is counted, and none is lost.
func FuzzAttribute(f *testing.F) {
	for _, text := range []string{
		"a = {{ .Settings.TLS }}\n", "{{ if .User }}\nb = 2\n{{ else if .Dir }}{{ end }}", "{{ with $x := .Dir }}{{ $x }}{{ else with .User }}{{ end }}",
		"{{ range $k, $v := .Env }}{{ if $v }}{{ continue }}{{ end }}{{ $k }}{{ break }}{{ else }}{{ end }}",
		`{{ define "x" }}{{ if . }}{{ template "x" $y := (rest .) }}{{ $y }}{{ end }}{{ end }}{{ template "x" .Settings.Protocols }}`,
		`{{ block "x" (dict "root" $) }}{{ .root.Dir }}{{ end }}{{ $x := 1 }}{{ $x = (.Sizes.Service "auth").ClientLimit }}`,
	} {
		f.Add(text)
	}
	in := input(f, "2.4", load(f, "COLOUR=green"))
	f.Fuzz(func(t *testing.T, template string) {
		in.Overrides = config.Files{override("10-x.conf.tmpl", template)}
		files, err := render.Render(in)
		if err != nil || strings.Contains(template, "\x00") || strings.Contains(template, `\`) {
			return
		}
		got := len(attribute(t, in)["/overrides/10-x.conf.tmpl"])
		if want := strings.Count(text(t, files, "overrides/10-x.conf"), "\n"); got < want || got > want+2 {
			t.Errorf("%d lines are rendered, and %d are attributed", want, got)
		}
	})
}

// Rendering with marks must not render anything else.
func TestAttributeFollowsTheLines(t *testing.T) {
	eachGolden(t, func(t *testing.T, in render.Input) {
		lines := attribute(t, in)
		for _, f := range renderAll(t, in) {
			if got, want := len(lines[f.Origin]), strings.Count(string(f.Data), "\n"); got < want || got > want+1 {
				t.Errorf("%s has %d lines, and %d are attributed", f.Name, want, got)
			}
		}
	})
}

func eachGolden(t *testing.T, test func(*testing.T, render.Input)) {
	t.Helper()
	cases, _ := filepath.Glob("testdata/golden/*.txtar")
	for _, file := range cases {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			test(t, inputOf(t, name[strings.LastIndex(name, "-")+1:], archive))
		})
	}
}

// A line that another value of a variable changes depends on that variable.
func TestAttributeMissesNothing(t *testing.T) {
	eachGolden(t, func(t *testing.T, in render.Input) {
		lines, before := attribute(t, in), renderAll(t, in)
		dialect := t.Name()[len(t.Name())-3:]
		changes := 0
		for _, v := range settings.Variables() {
			if v.Name == "DOVECOT_CONF" { // without which none of these lines is written
				continue
			}
			taken := 0
			for _, value := range append(v.Choices, "7", "/other", "other", "imap", "127.0.0.1", v.Example) {
				other := otherInput(t, in, dialect, v.Name, value)
				if other == nil || taken == 2 {
					continue
				}
				taken++
				for i, f := range renderAll(t, *other) {
					if i < len(before) && f.Name == before[i].Name && strings.HasSuffix(f.Name, ".conf") {
						changes += checkChanges(t, in, lines[f.Origin], before[i], f, v.Name)
					}
				}
			}
		}
		if changes < 20 {
			t.Errorf("only %d changes: this tests little", changes)
		}
	})
}

// otherInput has another value for one variable, if it takes that.
func otherInput(t *testing.T, in render.Input, dialect, name, value string) *render.Input {
	t.Helper()
	environ := []string{}
	for n, v := range in.Data.Settings.Environ {
		if n != name && !strings.HasSuffix(n, "_FILE") { // what the file holds is there too
			environ = append(environ, n+"="+v)
		}
	}
	s, err := settings.Load(append(environ, name+"="+value))
	if err != nil {
		return nil
	}
	other := input(t, dialect, s)
	other.Templates, other.Overrides = in.Templates, in.Overrides
	other.Data.User, other.Data.Group, other.Data.Dir = in.Data.User, in.Data.Group, in.Data.Dir
	return &other
}

// checkChanges counts the lines that differ, and complains of those that are not said to
// depend on the variable. Where lines were added or removed, they do not compare.
func checkChanges(t *testing.T, in render.Input, fields [][]string, before, after config.File, name string) (changes int) {
	t.Helper()
	old, now := strings.Split(string(before.Data), "\n"), strings.Split(string(after.Data), "\n")
	if len(old) != len(now) {
		return 0
	}
	for i := range old {
		if old[i] == now[i] {
			continue
		}
		changes++
		var variables []string
		for _, field := range fields[i] {
			variables = append(variables, in.Variables(field)...)
		}
		if !slices.Contains(variables, name) {
			t.Errorf("%s:%d: %s depends on %s, which is not among %q (%q)", before.Name, i+1, old[i], name, variables, fields[i])
		}
	}
	return changes
}

// A new field has to say which variables it comes from.
func TestVariablesOfEveryField(t *testing.T) {
	known := map[string]bool{}
	for _, v := range settings.Variables() {
		known[v.Name] = true
	}
	in := input(t, "2.4", load(t))
	all := fmt.Sprint(in.Variables(""))
	for f := range reflect.TypeFor[render.Data]().Fields() {
		_, tagged := f.Tag.Lookup("from")
		if special := f.Name == "Settings" || f.Name == "Sizes" || f.Name == "Env"; tagged == special {
			t.Errorf("Data.%s does not say which variables it comes from", f.Name)
		}
		for _, name := range in.Variables(f.Name) {
			if !known[name] {
				t.Errorf("Data.%s comes from %s, which is no variable", f.Name, name)
			}
		}
		if v, both := settings.Field(f.Name); both && !slices.Equal(in.Variables(f.Name), []string{v.Name}) {
			t.Errorf("Data.%s comes from another variable than Settings.%s", f.Name, f.Name)
		}
	}
	for m := range reflect.TypeFor[render.Data]().Methods() {
		if got := in.Variables(m.Name); fmt.Sprint(got) == all {
			t.Errorf("Data.%s does not say which variables it comes from", m.Name)
		}
	}
	for f := range reflect.TypeFor[settings.Settings]().Fields() {
		if name := f.Tag.Get("env"); name != "-" && !slices.Equal(in.Variables("Settings."+f.Name), []string{name}) {
			t.Errorf("Settings.%s comes from %q, want %s", f.Name, in.Variables("Settings."+f.Name), name)
		}
	}
	for _, service := range in.Data.Sizes.Services {
		for _, name := range in.Variables("Sizes.Service." + service.Name + ".ClientLimit") {
			if !known[name] {
				t.Errorf("the size of %s comes from %s, which is no variable", service.Name, name)
			}
		}
	}
}

func TestVariablesOfPaths(t *testing.T) {
	in := input(t, "2.4", load(t, "PROTOCOLS=imap,pop3"))
	for path, want := range map[string]string{
		"Settings.TLS":                    "TLS",
		"Settings.Protocols.Has":          "PROTOCOLS",
		"Settings.Environ.COLOUR":         "COLOUR",
		"Env.COLOUR":                      "COLOUR",
		"Env":                             "",
		"User":                            "",
		"FirstUID":                        "MAIL_UID",
		"Sizes.Service.pop3-login":        "POP3_CONCURRENCY POP3_MODE PROTOCOLS",
		"Sizes.Service.auth.ClientLimit":  "IMAP_CONCURRENCY IMAP_MODE POP3_CONCURRENCY POP3_MODE PROTOCOLS",
		"Sizes.Files":                     "IMAP_CONCURRENCY IMAP_MODE POP3_CONCURRENCY POP3_MODE PROTOCOLS",
		"root.Settings.Hostname":          "MAIL_HOSTNAME",
		"Settings.IMAPPort.a key of dict": "IMAP_PORT",
	} {
		if got := strings.Join(in.Variables(path), " "); got != want {
			t.Errorf("%s comes from %q, want %q", path, got, want)
		}
	}
}
