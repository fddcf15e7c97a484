package render_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"pidgeon/config"
	"pidgeon/render"
	"pidgeon/tests/pidgeontest"
)

// values has doveconf read values through a setting that takes any name: the
// operator's texts, and nothing else, may differ from an empty list.
var values = map[string]string{
	"2.3": `plugin {
{{ range $name, $value := .Env }}  {{ $name }} = {{ value $value }}
{{ end }}}
mail_plugins = sentinel
`,
	"2.4": `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
userdb users {
  driver = static
  fields {
{{ range $name, $value := .Env }}    {{ $name }} = {{ value $value }}
{{ end }}  }
}
mail_plugins {
  sentinel = yes
}
`,
}

// renderValues writes texts as v00000, v00001 and so on.
func renderValues(dialect string, texts []string) (config.Files, error) {
	env := map[string]any{}
	for i, text := range texts {
		env[fmt.Sprintf("v%05d", i)] = text
	}
	return render.Render(render.Input{
		Builtin: fstest.MapFS{config.Main: {Data: []byte(values[dialect])}},
		Data:    render.Data{Dir: here, Env: env},
	})
}

// printed is how doveconf prints a value: as it is, or in quotes when a line with
// it as it is would read as something else. Two are printed alike: a blank at an
// edge, and the same text with quotes that belong to it.
func printed(dialect, value string) string {
	blanks := map[string]string{"2.3": " \t", "2.4": " \t\v\f"}[dialect]
	if strings.Contains(value, "#") || value != strings.Trim(value, blanks) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`).Replace(value) + `"`
	}
	return value
}

// checkArrival has doveconf read texts back and compares all that it prints.
func checkArrival(t testing.TB, dialect string, texts []string) {
	t.Helper()
	files, err := renderValues(dialect, texts)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, files)
	out, complaint, err := doveconf(t, dialect, dir, "-n", "-c", filepath.Join(here, config.Main))
	if err != nil || complaint != "" {
		t.Fatalf("Dovecot %s refuses one of %.2000q: %v\n%s", dialect, texts, err, complaint)
	}
	// By line ends alone: values hold other bytes that end a line to some.
	var rest []string
	arrived := 0
	for line := range strings.SplitSeq(out, "\n") {
		i := len(rest)
		indent := strings.TrimLeft(line, " ")
		if _, err := fmt.Sscanf(indent, "v%05d =", &i); err != nil || i >= len(texts) {
			rest = append(rest, line)
			continue
		}
		arrived++
		if want := fmt.Sprintf("v%05d = %s", i, printed(dialect, texts[i])); indent != want {
			t.Errorf("Dovecot %s prints\n     %q\nwant %q\nfor  %q", dialect, indent, want, texts[i])
		}
	}
	if arrived != len(texts) {
		t.Errorf("Dovecot %s has %d values, want %d", dialect, arrived, len(texts))
	}
	// An empty list is left out; one with a single value is what remains of all.
	if got, want := strings.Join(rest, "\n"), without(t, dialect); got != want {
		t.Errorf("%.2000q change other settings of Dovecot %s:\n%s\nwant\n%s", texts, dialect, got, want)
	}
}

var baselines sync.Map

// without is what doveconf prints beside the values.
func without(t testing.TB, dialect string) string {
	t.Helper()
	if known, ok := baselines.Load(dialect); ok {
		return known.(string)
	}
	files, err := renderValues(dialect, []string{"plain"})
	if err != nil {
		t.Fatal(err)
	}
	var rest []string
	for line := range strings.SplitSeq(accepted(t, dialect, files, "-n"), "\n") {
		if !strings.Contains(line, "v00000") {
			rest = append(rest, line)
		}
	}
	baselines.Store(dialect, strings.Join(rest, "\n"))
	return strings.Join(rest, "\n")
}

// nasty are texts that mean something to one of Dovecot's parsers, or to none.
var nasty = []string{
	"", " ", "\t", "a", " a", "a ", "a\t", "a b", "#", "a#b", "a # b", "# a", `"`, `""`, `"a"`, `"a # b"`, `"a`, `a"`, `a"b`,
	`'`, `'a'`, `'a # b'`, `\`, `\\`, `\"`, `"\`, `a\`, `\n`, `\#`, `a \`, "{", "}", "{}", "a {", "} a", "a = b", "=", "= a", "a=",
	"$", "$a", "$mail_plugins", "$ENV:PATH", "$SET:base_dir", "${a}", "%", "%u", "%%", "%5Mu", "50 % off", "%u#", "%u%d", "% {",
	"<", "</etc/passwd", "< /etc/passwd", "<a", "file:/etc/passwd", "inline:a", "!include /etc/passwd", "!include_try x", "!remove", "@a", "~", "*",
	"no", "yes", "0", "-1", "unlimited", "5 M", "a,b", "a b c", ":", ";", "&", "|", "`a`", "$(a)", "ä", "€", "\xff", "\xc3(", "\u2028", "\ufeffa",
	"\x01", "a\x01b", "\x7f", "\v", "\f", "a\x1ab", "\x1b[31m", "plain", "/a/b.c", "a:b@c+d-e_f", "dovecot_config_version = 1",
	strings.Repeat("a", 300), strings.Repeat(`\"`, 300), strings.Repeat("a b#", 5000),
}

func TestValueArrives(t *testing.T) {
	texts := append([]string{}, nasty...)
	for b := range 256 {
		if b == 0 || b == '\n' || b == '\r' {
			continue
		}
		texts = append(texts, string([]byte{byte(b)}), string([]byte{'a', byte(b), 'b'}), string([]byte{' ', byte(b), '"', '#'}))
	}
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			needDoveconf(t, dialect)
			texts := texts
			if root, _ := pidgeontest.Rootfs(dialect); pidgeontest.Version(root) == "2.4.5" { // its doveconf panics at this one (strfuncs.c:283)
				texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return text == "\x04" })
			}
			checkArrival(t, dialect, texts)
		})
	}
}

// A line end would begin another setting; after a NUL byte Dovecot reads on as if
// the line ended there.
func TestValueRefused(t *testing.T) {
	for _, text := range []string{"\n", "a\nbase_dir = /", "\r", "a\rb", "\x00", "a\x00", "a\r\n"} {
		for _, dialect := range dialects {
			_, err := renderValues(dialect, []string{text})
			if want := "the value holds a line end or a NUL byte, which no Dovecot setting can"; err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%q: got %v, want … %s", text, err, want)
			}
		}
	}
}

// 2.4 takes %{ for the begin of a variable wherever it stands, and panics when it
// is not one. Such a text has to be refused, or written some other way.
func TestValueThatLooksLikeAVariable(t *testing.T) {
	needDoveconf(t, "2.4")
	for _, text := range []string{"%{", "a %{b", "%{user|}"} {
		files, err := renderValues("2.4", []string{text})
		if err != nil {
			continue
		}
		dir := t.TempDir()
		write(t, dir, files)
		if _, complaint, err := doveconf(t, "2.4", dir, "-n", "-c", filepath.Join(here, config.Main)); err != nil {
			t.Errorf("%q: doveconf: %v\n%.200s", text, err, complaint)
		}
	}
}

// FuzzValue takes one value per line.
func FuzzValue(f *testing.F) {
	for _, dialect := range dialects {
		needDoveconf(f, dialect)
	}
	f.Add(strings.Join(nasty, "\n"))
	f.Add("a\rb\x00c")
	f.Add("\"\n\\\n \n}\n#")
	f.Fuzz(func(t *testing.T, lines string) {
		var texts []string
		for text := range strings.SplitSeq(lines, "\n") {
			// What 2.4 makes of %{ has a test of its own.
			if text = strings.ReplaceAll(text, "%{", "%"); !strings.ContainsAny(text, "\r\x00") {
				texts = append(texts, text)
				continue
			}
			if _, err := renderValues("2.4", []string{text}); err == nil {
				t.Errorf("%q is accepted", text)
			}
		}
		for _, dialect := range dialects {
			if len(texts) > 0 {
				checkArrival(t, dialect, texts)
			}
		}
	})
}
