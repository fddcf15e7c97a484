package render

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

// templates are in one set, so that they can use one another's definitions, and the
// operator's replace pidgeon's.
type templates struct {
	set     *template.Template
	sources map[string]config.File // by their names in the set
	in      Input
	faults  finding.List
}

func parseAll(in Input) *templates {
	set := template.New("").Option("missingkey=error").Funcs(functions(in.Data))
	t := &templates{set: set, sources: map[string]config.File{}, in: in}
	for _, name := range in.builtin() {
		origin := "template " + path.Base(name)
		data, err := fs.ReadFile(in.Builtin, name)
		if err != nil {
			t.fail(fmt.Errorf("reading built-in template: %w", err), origin)
		}
		t.sources[path.Base(name)] = config.File{Origin: origin, Data: data}
	}
	for _, s := range in.Templates {
		t.sources[strings.TrimSuffix(path.Base(s.Name), ".tmpl")] = s
	}
	for _, name := range sortedKeys(t.sources) {
		if _, err := set.New(name).Parse(string(t.sources[name].Data)); err != nil {
			t.fail(err, t.sources[name].Origin)
		}
	}
	return t
}

// builtin are the templates for a configuration of the operator's own, or else for ours.
func (in Input) builtin() []string {
	patterns := []string{"*.*"}
	if len(in.OperatorConfig) > 0 {
		patterns = []string{"60-sizes.conf", "90-owned.conf", "own/*"}
	}
	var names []string
	for _, pattern := range patterns {
		found, _ := fs.Glob(in.Builtin, pattern) // the pattern alone can be wrong
		names = append(names, found...)
	}
	return names
}

// file renders a template of the set into a file of its own.
func (t *templates) file(template, file string) config.File {
	origin := t.sources[template].Origin
	return config.File{Name: file, Origin: origin, Mode: 0o640, Data: t.execute(t.set, template, origin)}
}

// override parses an override into a copy of the set, so that it can use the definitions of
// templates and not change them.
func (t *templates) override(o config.File) []byte {
	name := path.Base(o.Name)
	set, err := t.set.Clone()
	if err == nil {
		_, err = set.New(name).Parse(string(o.Data))
	}
	if err != nil {
		t.fail(err, o.Origin)
		return nil
	}
	return t.execute(set, name, o.Origin)
}

func (t *templates) execute(set *template.Template, name, origin string) []byte {
	var out bounded
	if t.in.marked {
		name = withMarks(set, name)
	}
	if err := set.ExecuteTemplate(&out, name, t.in.Data); err != nil {
		t.fail(err, origin)
		return nil
	}
	if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	return out.Bytes()
}

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

// templateError is how text/template words its errors: where, then, when it was
// executing, what; then the problem.
var templateError = lazyregexp.New(`^template: ([^:]*):(\d+):(?:\d+:)?\s+(?:executing "[^"]*" at <(?:.*?)>: )?(?s:(.*))$`)

// fail notes the file and line of an error. A template may use the definitions of
// another one, so the file is that of the template the error names; origin is the file
// where none is known.
func (t *templates) fail(err error, origin string) {
	f := finding.Finding{Code: finding.TemplateError, File: origin, Problem: err.Error()}
	if errors.Is(err, errTooLong) {
		f.Problem, f.Hint = errTooLong.Error(), "look for a loop that does not end"
	} else if m := templateError.FindStringSubmatch(err.Error()); m != nil {
		if source, ok := t.sources[m[1]]; ok {
			f.File = source.Origin
		}
		f.Line, _ = strconv.Atoi(m[2])
		f.Problem, f.Hint = m[3], hint(m[3])
	}
	f.Problem = t.withoutValues(f.Problem)
	t.faults = append(t.faults, f)
}

// withoutValues removes values of the environment from an error, because functions quote
// arguments that they refuse, and a secret must not get into a log. Texts that the operator's
// file contains itself stay.
func (t *templates) withoutValues(problem string) string {
	var secrets []string
	for _, value := range t.in.Data.Env {
		text := fmt.Sprint(value)
		written := slices.ContainsFunc(slices.Concat(t.in.Templates, t.in.Overrides), func(f config.File) bool {
			return bytes.Contains(f.Data, []byte(text))
		})
		if len(text) > 3 && !written { // shorter ones tell nothing
			secrets = append(secrets, text, strings.Trim(strconv.Quote(text), `"`))
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	for _, secret := range secrets {
		problem = strings.ReplaceAll(problem, secret, "…")
	}
	return problem
}

func hint(problem string) string {
	switch {
	case strings.Contains(problem, "map has no entry for key"):
		return `set the variable, or write {{ get .Env "NAME" | default "…" }}`
	case strings.Contains(problem, "not defined"):
		return "the functions are those of sprig that give the same result each time, and value"
	}
	return ""
}
