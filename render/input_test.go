package render_test

import (
	"cmp"
	"errors"
	"os"
	"path"
	"path/filepath"
	"testing"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// input is what the entrypoint makes of an environment, with a machine of two
// processors and, unlike the entrypoint, no look at the machine it runs on.
func input(t testing.TB, dialect string, s settings.Settings) render.Input {
	t.Helper()
	in := render.Input{
		Builtin: os.DirFS(filepath.Join("..", "templates", dialect)),
		Data: render.Data{
			Settings: s,
			Sizes:    sizing.Size(s.Demand(), sizing.Machine{CPUs: 2, Files: 1 << 20}),
			Env:      anyValues(s.Environ),
			Dir:      here,
			BaseDir:  path.Join(string(s.RunDir), "dovecot"),
			StateDir: path.Join(string(s.StateDir), "dovecot"),
			MailUID:  cmp.Or(int(s.MailUID), 5000),
			MailGID:  cmp.Or(int(s.MailGID), 5000),
		},
	}
	if s.TLS != "no" {
		in.Data.Certificate, in.Data.Key = []byte("(the certificate)\n"), []byte("(the key)\n")
	}
	return in
}

func anyValues(environ map[string]string) map[string]any {
	values := map[string]any{}
	for name, value := range environ {
		values[name] = value
	}
	return values
}

// load reads an environment that has to be fine.
func load(t testing.TB, environ ...string) settings.Settings {
	t.Helper()
	s, err := settings.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// renderAll renders an input that has to be fine.
func renderAll(t testing.TB, in render.Input) config.Files {
	t.Helper()
	files, err := render.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// complaint is what Render says of an input.
func complaint(t testing.TB, in render.Input) string {
	t.Helper()
	files, err := render.Render(in)
	if err == nil {
		return ""
	}
	var list finding.List
	if !errors.As(err, &list) || files != nil {
		t.Fatalf("Render returned %d files and a %T: %v", len(files), err, err)
	}
	return err.Error()
}

// text is the content of one rendered file.
func text(t testing.TB, files config.Files, name string) string {
	t.Helper()
	for _, f := range files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("no file %s among those rendered", name)
	return ""
}

// override is a file as an operator mounts it.
func override(name, data string) config.File {
	return config.File{Name: name, Override: true, Origin: "/overrides/" + name, Data: []byte(data)}
}
