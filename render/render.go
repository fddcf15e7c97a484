// Package render turns settings, sizes, templates and overrides into the files
// of a Dovecot configuration. It is a function of its arguments: no clock, no
// network, no randomness, no process environment. Two renderings of the same
// input are equal to the byte.
package render

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"

	"pidgeon/finding"
)

// Source is a text that comes from a place the operator knows.
type Source struct {
	Name string // base name
	Path string // where it stands
	Data []byte
}

// Input is all that a rendering depends on.
type Input struct {
	Builtin   fs.FS    // the templates of one dialect
	Templates []Source // replace or add templates
	Overrides []Source // *.conf and *.conf.tmpl
	Data      Data
}

// File is one file of the rendered configuration.
type File struct {
	Name   string      // slash-separated, relative to the generation
	Origin string      // the path the operator knows it by
	Mode   fs.FileMode // 0640, or 0600 for a private key
	Data   []byte
}

// Files are a complete configuration; Dovecot reads Main.
type Files []File

// Main is the name of the main file.
const Main = "dovecot.conf"

const (
	templatesDir = "conf.d"
	overridesDir = "overrides"
)

// Render returns the files, or a finding.List that names every template that
// fails.
func Render(in Input) (Files, error) {
	set, sources, faults := parse(in)
	if len(faults) > 0 {
		return nil, faults
	}
	var files Files
	for _, name := range rendered(sources) {
		data, err := execute(set, name, in.Data)
		if err != nil {
			faults = append(faults, templateFinding(err, sources[name].Path, sources))
		}
		files = append(files, File{path.Join(templatesDir, name), sources[name].Path, 0o640, data})
	}
	overrides, more := renderOverrides(set, sources, in)
	files = append(files, overrides...)
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, faults
	}
	main, err := renderMain(set, sources, in.Data, files)
	if err != nil {
		return nil, finding.List{*err}
	}
	return slices.Concat(Files{main}, files, secrets(in.Data)), nil
}

// Digest identifies the configuration wherever it is published: dir, the
// generation it was rendered for, does not count.
func (f Files) Digest(dir string) [sha256.Size]byte {
	h := sha256.New()
	for _, file := range f {
		data := bytes.ReplaceAll(file.Data, []byte(dir), nil)
		fmt.Fprintf(h, "%q %d\n", file.Name, len(data))
		h.Write(data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Place is the name of a file that holds the path of the generation it was rendered for.
const Place = "generation"

// For returns the files of a saved generation as if rendered for dir.
func (f Files) For(dir string) Files {
	var from []byte
	for _, file := range f {
		if file.Name == Place {
			from = bytes.TrimSpace(file.Data)
		}
	}
	moved := slices.Clone(f)
	for i := range moved {
		if len(from) > 0 {
			moved[i].Data = bytes.ReplaceAll(moved[i].Data, from, []byte(dir))
		}
	}
	return moved
}

// parse puts all templates into one set, so that they can use one another's
// definitions, and those of the operator in the place of ours.
func parse(in Input) (*template.Template, map[string]Source, finding.List) {
	sources, err := builtin(in.Builtin)
	if err != nil {
		return nil, nil, finding.List{{Problem: err.Error()}}
	}
	for _, s := range in.Templates {
		s.Name = strings.TrimSuffix(s.Name, ".tmpl")
		sources[s.Name] = s
	}
	set := template.New("").Option("missingkey=error").Funcs(functions(in.Data))
	var faults finding.List
	for _, name := range sortedKeys(sources) {
		if _, err := set.New(name).Parse(string(sources[name].Data)); err != nil {
			faults = append(faults, templateFinding(err, sources[name].Path, sources))
		}
	}
	return set, sources, faults
}

func builtin(templates fs.FS) (map[string]Source, error) {
	names, err := fs.Glob(templates, "*")
	if err != nil {
		return nil, fmt.Errorf("listing built-in templates: %w", err)
	}
	sources := map[string]Source{}
	for _, name := range names {
		data, err := fs.ReadFile(templates, name)
		if err != nil {
			return nil, fmt.Errorf("reading built-in template: %w", err)
		}
		sources[name] = Source{name, "template " + name, data}
	}
	return sources, nil
}

// rendered are the templates that become files of their own; the main file comes
// last because it includes them, and other names only hold definitions.
func rendered(sources map[string]Source) []string {
	return slices.DeleteFunc(sortedKeys(sources), func(name string) bool {
		return name == Main || !strings.HasSuffix(name, ".conf")
	})
}

func renderOverrides(set *template.Template, sources map[string]Source, in Input) (Files, finding.List) {
	var files Files
	var faults finding.List
	for _, o := range in.Overrides {
		name, isTemplate := strings.CutSuffix(o.Name, ".tmpl")
		if isTemplate {
			data, err := executeOverride(set, o, in.Data)
			if err != nil {
				faults = append(faults, templateFinding(err, o.Path, sources))
			}
			o.Data = data
		}
		files = append(files, File{path.Join(overridesDir, name), o.Path, 0o640, o.Data})
	}
	return files, faults
}

// executeOverride parses into a copy of the set: an override may use definitions
// of the templates, and not disturb them.
func executeOverride(set *template.Template, o Source, data Data) ([]byte, error) {
	set, err := set.Clone()
	if err != nil {
		return nil, err
	}
	if _, err := set.New(o.Name).Parse(string(o.Data)); err != nil {
		return nil, err
	}
	return execute(set, o.Name, data)
}

func renderMain(set *template.Template, sources map[string]Source, data Data, files Files) (File, *finding.Finding) {
	for _, f := range files {
		data.Includes = append(data.Includes, f.Name)
	}
	text, err := execute(set, Main, data)
	if err != nil {
		f := templateFinding(err, sources[Main].Path, sources)
		return File{}, &f
	}
	return File{Main, sources[Main].Path, 0o640, text}, nil
}

// maxOutput bounds one rendered file, in bytes.
const maxOutput = 4 << 20

var errTooLong = errors.New("it writes more than 4 MiB")

// bounded refuses to grow beyond maxOutput, which ends a template that would
// write for ever.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}

func execute(set *template.Template, name string, data Data) ([]byte, error) {
	var out bounded
	if err := set.ExecuteTemplate(&out, name, data); err != nil {
		return nil, err
	}
	if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}
