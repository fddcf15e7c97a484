// Package render turns settings, sizes, templates and overrides into the files
// of a Dovecot configuration. It is a function of its arguments: no clock, no
// network, no randomness, no process environment. Two renderings of the same
// input are equal to the byte.
package render

import (
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
