package render

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"

	"pidgeon/config"
	"pidgeon/finding"
)

// parseAll puts all templates into one set, so that they can use one another's
// definitions, and those of the operator in the place of ours.
func parseAll(in Input) (*template.Template, map[string]config.File, finding.List) {
	sources, err := builtin(in.Builtin)
	if err != nil {
		return nil, nil, finding.List{{Code: finding.TemplateError, Problem: err.Error()}}
	}
	for _, s := range in.Templates {
		s.Name = strings.TrimSuffix(path.Base(s.Name), ".tmpl")
		sources[s.Name] = s
	}
	set := template.New("").Option("missingkey=error").Funcs(functions(in.Data))
	var faults finding.List
	for _, name := range sortedKeys(sources) {
		if _, err := set.New(name).Parse(string(sources[name].Data)); err != nil {
			faults = append(faults, templateFinding(err, sources[name].Origin, sources))
		}
	}
	return set, sources, faults
}

func builtin(templates fs.FS) (map[string]config.File, error) {
	names, err := fs.Glob(templates, "*")
	if err != nil {
		return nil, fmt.Errorf("listing built-in templates: %w", err)
	}
	sources := map[string]config.File{}
	for _, name := range names {
		data, err := fs.ReadFile(templates, name)
		if err != nil {
			return nil, fmt.Errorf("reading built-in template: %w", err)
		}
		sources[name] = config.File{Name: name, Origin: "template " + name, Data: data}
	}
	return sources, nil
}

// rendered are the templates that become files of their own; the main file comes
// last because it includes them, and other names only hold definitions.
func rendered(sources map[string]config.File) []string {
	return slices.DeleteFunc(sortedKeys(sources), func(name string) bool {
		return name == config.Main || !strings.HasSuffix(name, ".conf")
	})
}
