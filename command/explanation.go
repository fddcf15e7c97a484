package command

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/lazyregexp"
	"pidgeon/publish"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
	"pidgeon/status"
)

// explanation is the explanation of a setting in one section.
type explanation struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Scope   string `json:"scope"`
	Default string `json:"default"`
	Chain   []step `json:"chain"` // in the order in which Dovecot reads it
	// Runs is the value that Dovecot runs with, if that is another because the last
	// change was refused.
	Runs *string `json:"runs,omitempty"`
}

// LastFirst is the chain, with the line in force first.
func (e explanation) LastFirst() []step {
	chain := slices.Clone(e.Chain)
	slices.Reverse(chain)
	return chain
}

type step struct {
	lint.Line
	InForce       bool     `json:"in_force"`
	OverwrittenBy string   `json:"overwritten_by,omitempty"`
	Sum           string   `json:"sum,omitempty"`          // how a limit came about
	ResizedFrom   int      `json:"resized_from,omitempty"` // the limit without overrides
	Variables     []origin `json:"variables,omitempty"`    // that the line depends on
}

// origin is the value of a variable, and its source.
type origin struct {
	Name  string `json:"variable"`
	Value string `json:"value"`
	From  string `json:"from"`
}

func (o origin) String() string { return fmt.Sprintf("%s=%s (%s)", o.Name, o.Value, o.From) }

// explainer has the lines of a candidate, which may have faults.
type explainer struct {
	*judgement
	input    render.Input
	plain    sizing.Sizes // without what overrides change
	steps    []step       // in the order in which Dovecot reads them
	degraded bool         // Dovecot runs another configuration
}

func (j *judgement) explainer() (explainer, error) {
	in, err := j.Read(j.request.Live)
	if err != nil {
		return explainer{}, err
	}
	c, err := j.Build(in, j.store.Next())
	if err != nil {
		return explainer{}, err
	}
	now, _ := status.Ask(j.ctx, string(in.Settings.RunDir)) // without one, nothing runs
	e := explainer{judgement: j, plain: c.Sizes, degraded: now.Degraded}
	if c, _, err = j.Stage(j.ctx, j.store, c); err != nil {
		return explainer{}, err
	}
	e.input = j.Input(c, c.Dir)
	attributed, err := render.Attribute(e.input)
	inForce := map[string]string{}
	for _, l := range slices.Backward(c.Lint.Lines()) {
		var fields []string
		if lines := attributed[l.File]; l.Line <= len(lines) {
			fields = lines[l.Line-1]
		}
		l.Line, l.Value = c.Files.Line(l.File, l.Line), e.shown(l.Value)
		s := step{Line: l, OverwrittenBy: inForce[l.Setting], InForce: inForce[l.Setting] == "", Variables: e.origins(fields)}
		s.Sum, s.ResizedFrom = e.sum(l, fields)
		if s.InForce {
			inForce[l.Setting] = fmt.Sprintf("%s:%d: %s", l.File, l.Line, l.Value)
		}
		e.steps = append(e.steps, s)
	}
	slices.Reverse(e.steps)
	return e, err
}

// sum is the derivation of a limit that a line sets from fields, and the limit without
// overrides if that differs.
func (e explainer) sum(l lint.Line, fields []string) (text string, resizedFrom int) {
	service, limit, _ := strings.Cut(strings.TrimPrefix(l.Setting, "service/"), "/")
	sum, ok := e.input.Data.Sizes.Derivation(service, limit)
	sized := func(field string) bool { return strings.HasPrefix(field, "Sizes.Service."+service+".") }
	number, _, _ := strings.Cut(l.Value, " ")
	same := number == strconv.Itoa(sum.Total) || sum.Total == sizing.Unlimited
	if !ok || !same || !slices.ContainsFunc(fields, sized) {
		return "", 0
	}
	if was, _ := e.plain.Derivation(service, limit); was.Total != sum.Total {
		resizedFrom = was.Total
	}
	return sum.String(), resizedFrom
}

// origins are the variables behind fields.
func (e explainer) origins(fields []string) (all []origin) {
	var names []string
	for _, field := range fields {
		names = append(names, e.input.Variables(field)...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		all = append(all, e.origin(name))
	}
	return all
}

func (e explainer) origin(name string) origin {
	v, _ := variable(name)
	environ := e.input.Data.Settings.Environ
	value, from := environ[name], "environment"
	if path, ok := environ[name+"_FILE"]; ok {
		from = "file " + path
	} else if value == "" {
		value, from = v.Default, "default"
	}
	return origin{name, v.Shown(value), from}
}

// variable finds a variable by its name. Values of variables that pidgeon does not know are
// hidden.
func variable(name string) (v settings.Variable, ours bool) {
	all := settings.Variables()
	if i := slices.IndexFunc(all, func(v settings.Variable) bool { return v.Name == name }); i >= 0 {
		return all[i], true
	}
	return settings.Variable{Name: name, Secret: true}, false
}

var generation = lazyregexp.New(`/gen-\d+\b`)

// shown names a file of the generation by the path it has when that runs.
func (e explainer) shown(value string) string {
	current := publish.Current(string(e.input.Data.Settings.RunDir))
	return strings.ReplaceAll(generation.ReplaceAllString(value, ""), e.store.Dir, current)
}

// settings explains a setting in every scope that has it: a name without sections, or with
// some of them, is looked for in all.
func (e explainer) settings(name string) (all []explanation) {
	scopes := []string{name}
	for _, s := range e.steps {
		plain := dovecot.SettingName(s.Setting) // sections without a name are numbered
		if meant := strings.HasPrefix(plain, name+"/") || abbreviates(name, plain); meant && !slices.Contains(scopes, s.Setting) {
			scopes = append(scopes, s.Setting)
		}
	}
	for _, setting := range scopes {
		explained, ok := e.setting(setting)
		nowhere := explained.Value == "" || strings.Contains(setting, "/") // a list, or a part of a name
		if ok && !(len(scopes) > 1 && len(explained.Chain) == 0 && nowhere) {
			all = append(all, explained)
		}
	}
	return all
}

// abbreviates reports whether a name leaves out some sections of a full one.
func abbreviates(name, full string) bool {
	words := strings.Split(name, "/")
	for word := range strings.SplitSeq(full, "/") {
		if len(words) > 0 && words[0] == word {
			words = words[1:]
		}
	}
	return len(words) == 0 && path.Base(name) == path.Base(full)
}

// setting explains a setting, with the value that doveconf prints or, for a configuration
// that it refuses, that of the last line. A section that does not set it has the global lines,
// and doveconf may print no value for it.
func (e explainer) setting(setting string) (explanation, bool) {
	chain := e.chain(func(s step) bool { return s.Setting == setting })
	standard, listed, hasDefault := e.Dovecot.Default(e.ctx, setting)
	explained := explanation{Setting: setting, Value: standard, Scope: dovecot.SettingScope(setting), Default: standard, Chain: chain}
	if n := len(chain); n > 0 {
		explained.Value = chain[n-1].Value
	}
	value, known, err := e.value(setting)
	if global := path.Base(setting); listed == global && setting != global && len(chain) == 0 {
		inherited, ok := e.setting(global)
		if inherited.Setting, inherited.Scope = setting, explained.Scope; ok && (!known || value == inherited.Value) {
			return inherited, true
		}
	}
	if err == nil && known && (value != "" || explained.Value == standard) {
		explained.Value = e.shown(value)
	}
	explained.Runs = e.runs(setting, explained.Value)
	return explained, hasDefault || known || len(chain) > 0
}

// runs is the value that Dovecot runs with, if it differs.
func (e explainer) runs(setting, value string) *string {
	if !e.degraded {
		return nil
	}
	current := publish.Current(string(e.input.Data.Settings.RunDir))
	running, known, err := e.Dovecot.Value(e.ctx, filepath.Join(current, config.Main), setting)
	running = strings.ReplaceAll(generation.ReplaceAllString(running, "/gen"), filepath.Join(filepath.Dir(current), "gen"), current)
	if err != nil || !known || running == value {
		return nil
	}
	return &running
}

// value asks Dovecot, which may refuse the configuration.
func (e explainer) value(setting string) (value string, ok bool, err error) {
	return e.Dovecot.Value(e.ctx, filepath.Join(e.input.Data.Dir, config.Main), setting)
}

// chain are the lines that match; JSON has an empty list where there are none.
func (e explainer) chain(match func(step) bool) []step {
	return slices.DeleteFunc(append([]step{}, e.steps...), func(s step) bool { return !match(s) })
}
