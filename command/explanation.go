package command

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// explanation is all that is known of one setting in one scope.
type explanation struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Scope   string `json:"scope"`
	Default string `json:"default"`
	Chain   []step `json:"chain"` // in the order in which Dovecot reads it
}

// step is a line that sets something.
type step struct {
	lint.Line
	InForce       bool     `json:"in_force"`
	OverwrittenBy string   `json:"overwritten_by,omitempty"`
	Sum           string   `json:"sum,omitempty"`          // how a limit came about
	ResizedFrom   int      `json:"resized_from,omitempty"` // the limit without overrides
	Variables     []origin `json:"variables,omitempty"`    // that the line depends on
}

// origin is a variable's value and where it comes from.
type origin struct {
	Name  string `json:"variable"`
	Value string `json:"value"`
	From  string `json:"from"`
}

func (o origin) String() string { return fmt.Sprintf("%s=%s (%s)", o.Name, o.Value, o.From) }

// explainer knows the lines of a candidate, which need not be a good one.
type explainer struct {
	*trial
	input render.Input
	asked sizing.Sizes // without what overrides change
	steps []step       // in the order in which Dovecot reads them
}

func (t *trial) explainer() (explainer, error) {
	in, err := t.Read(t.request.Live)
	if err != nil {
		return explainer{}, err
	}
	c, err := t.Build(in, t.store.Next())
	if err != nil {
		return explainer{}, err
	}
	e := explainer{trial: t, asked: c.Sizes}
	if c, _, err = t.Stage(t.ctx, t.store, c); err != nil {
		return explainer{}, err
	}
	e.input = t.Input(c, c.Dir)
	fields, err := render.Attribute(e.input)
	inForce := map[string]string{}
	for _, l := range slices.Backward(c.Lint.Lines()) {
		s := e.step(l, fields[l.File])
		s.OverwrittenBy, s.InForce = inForce[l.Setting], inForce[l.Setting] == ""
		if s.InForce {
			inForce[l.Setting] = fmt.Sprintf("%s:%d: %s", l.File, l.Line, s.Value)
		}
		e.steps = append(e.steps, s)
	}
	slices.Reverse(e.steps)
	return e, err
}

// step attributes a line; fields are those that the lines of its file depend on.
func (e explainer) step(l lint.Line, fields [][]string) step {
	s := step{Line: l}
	s.Value = e.shown(l.Value)
	if l.Line > len(fields) {
		return s
	}
	s.Variables = e.origins(fields[l.Line-1])
	service, limit, _ := strings.Cut(strings.TrimPrefix(l.Setting, "service/"), "/")
	sized := func(field string) bool { return strings.HasPrefix(field, "Sizes.Service."+service+".") }
	sum, ok := e.input.Data.Sizes.Sum(service, limit)
	number, _, _ := strings.Cut(l.Value, " ")
	if ok && slices.ContainsFunc(fields[l.Line-1], sized) && (number == strconv.Itoa(sum.Total) || sum.Total == sizing.Unlimited) {
		s.Sum = sum.String()
		if was, _ := e.asked.Sum(service, limit); was.Total != sum.Total {
			s.ResizedFrom = was.Total
		}
	}
	return s
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

// origin finds a variable's value. What the operator's own hold is not shown.
func (e explainer) origin(name string) origin {
	v := settings.Variable{Name: name, Secret: true}
	for _, ours := range settings.Variables() {
		if ours.Name == name {
			v = ours
		}
	}
	environ := e.input.Data.Settings.Environ
	value, from := environ[name], "environment"
	if path, ok := environ[name+"_FILE"]; ok {
		from = "file " + path
	} else if value == "" {
		value, from = v.Default, "default"
	}
	return origin{name, shown(v, value), from}
}

var generation = regexp.MustCompile(`/gen-\d+\b`)

// shown names a file of the generation by the path it has when that runs.
func (e explainer) shown(value string) string {
	current := filepath.Join(string(e.input.Data.Settings.RunDir), "current")
	return strings.ReplaceAll(generation.ReplaceAllString(value, ""), e.store.Dir, current)
}

// settings explains a setting in every scope that has it: a name without a section
// is looked for in all of them.
func (e explainer) settings(name string) []explanation {
	var all []explanation
	scopes := e.scopes(name)
	for _, setting := range scopes {
		explained, ok := e.setting(setting)
		list := len(scopes) > 1 && len(explained.Chain) == 0 && explained.Value == ""
		if ok && !list {
			all = append(all, explained)
		}
	}
	return all
}

func (e explainer) scopes(name string) []string {
	scopes := []string{name}
	for _, s := range e.steps {
		inside := strings.HasPrefix(s.Setting, name+"/") || strings.HasSuffix(s.Setting, "/"+name)
		if inside && !slices.Contains(scopes, s.Setting) {
			scopes = append(scopes, s.Setting)
		}
	}
	return scopes
}

// setting explains one. What Dovecot says of it counts more than what its lines
// say, but it says nothing of a configuration that it refuses.
func (e explainer) setting(setting string) (explanation, bool) {
	explained := explanation{Setting: setting, Scope: dovecot.Scope(setting), Chain: e.chain(func(s step) bool { return s.Setting == setting })}
	standard, known := e.Dovecot.Default(e.ctx, setting)
	explained.Default, explained.Value = standard, standard
	if n := len(explained.Chain); n > 0 {
		explained.Value = explained.Chain[n-1].Value
	}
	value, said, err := e.value(setting)
	if err == nil && said && (value != "" || explained.Value == standard) {
		explained.Value = e.shown(value)
	}
	return explained, known || said || len(explained.Chain) > 0
}

// value asks Dovecot, which may refuse the configuration.
func (e explainer) value(setting string) (value string, ok bool, err error) {
	return e.Dovecot.Value(e.ctx, filepath.Join(e.input.Data.Dir, config.Main), setting)
}

// chain are the lines that are asked for; JSON has an empty list where there are none.
func (e explainer) chain(asked func(step) bool) []step {
	return slices.DeleteFunc(append([]step{}, e.steps...), func(s step) bool { return !asked(s) })
}
