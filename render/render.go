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

	"pidgeon/config"
	"pidgeon/finding"
)

// Input is all that a rendering depends on.
type Input struct {
	Builtin   fs.FS        // the templates of one dialect
	Templates config.Files // replace or add templates
	Overrides config.Files // *.conf and *.conf.tmpl
	Data      Data

	marked bool // for Attribute
}

const (
	templatesDir = "conf.d"
	overridesDir = "overrides"
)

// Render returns the files, or a finding.List that names every template that
// fails.
func Render(in Input) (config.Files, error) {
	set, sources, faults := parseAll(in)
	if len(faults) > 0 {
		return nil, faults
	}
	var files config.Files
	for _, name := range rendered(sources) {
		data, err := execute(set, name, in)
		if err != nil {
			faults = append(faults, templateFinding(err, sources[name].Origin, sources))
		}
		files = append(files, config.File{Name: path.Join(templatesDir, name), Origin: sources[name].Origin, Mode: 0o640, Data: data})
	}
	overrides, more := renderOverrides(set, sources, in)
	files = append(files, overrides...)
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, faults
	}
	main, err := renderMain(set, sources, in, files)
	if err != nil {
		return nil, finding.List{*err}
	}
	return slices.Concat(config.Files{main}, files, secrets(in.Data)), nil
}

func renderOverrides(set *template.Template, sources map[string]config.File, in Input) (config.Files, finding.List) {
	var files config.Files
	var faults finding.List
	for _, o := range in.Overrides {
		o.Name = path.Base(o.Name)
		name, isTemplate := strings.CutSuffix(o.Name, ".tmpl")
		if isTemplate {
			data, err := executeOverride(set, o, in)
			if err != nil {
				faults = append(faults, templateFinding(err, o.Origin, sources))
			}
			o.Data = data
		}
		o.Name, o.Mode = path.Join(overridesDir, name), 0o640
		files = append(files, o)
	}
	return files, faults
}

func renderMain(set *template.Template, sources map[string]config.File, in Input, files config.Files) (config.File, *finding.Finding) {
	for _, f := range files {
		in.Data.Includes = append(in.Data.Includes, f.Name)
	}
	text, err := execute(set, config.Main, in)
	if err != nil {
		f := templateFinding(err, sources[config.Main].Origin, sources)
		return config.File{}, &f
	}
	return config.File{Name: config.Main, Origin: sources[config.Main].Origin, Mode: 0o640, Data: text}, nil
}
