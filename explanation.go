package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
)

// explanation is all that is known of one setting in one scope.
type explanation struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Scope   string `json:"scope"`
	Default string `json:"default"`
	Chain   []step `json:"chain"` // in the order in which Dovecot reads it
}

// step is a line that sets the setting.
type step struct {
	dovecot.Line
	InForce   bool     `json:"in_force"`
	Resized   string   `json:"resized,omitempty"`   // what a size has become, to go with the overrides
	Variables []origin `json:"variables,omitempty"` // that the line depends on
}

// settings explains a setting in every scope that has it: a name without a
// section is looked for in all of them.
func (e explainer) settings(ctx context.Context, name string) []explanation {
	var all []explanation
	scopes := e.scopes(name)
	for _, setting := range scopes {
		explained, ok := e.setting(ctx, setting)
		list := len(scopes) > 1 && len(explained.Chain) == 0 && explained.Value == ""
		if ok && !list {
			all = append(all, explained)
		}
	}
	return all
}

func (e explainer) scopes(name string) []string {
	scopes := []string{name}
	for _, l := range e.lines {
		inside := strings.HasPrefix(l.Setting, name+"/") || strings.HasSuffix(l.Setting, "/"+name)
		if inside && !slices.Contains(scopes, l.Setting) {
			scopes = append(scopes, l.Setting)
		}
	}
	return scopes
}

// setting explains one. What Dovecot says of it counts more than what its lines
// say, but it says nothing of a configuration that it refuses.
func (e explainer) setting(ctx context.Context, setting string) (explanation, bool) {
	explained := explanation{Setting: setting, Scope: dovecot.Scope(setting), Chain: e.chain(setting)}
	standard, known := e.dovecot.Default(ctx, setting)
	explained.Default, explained.Value = standard, standard
	if n := len(explained.Chain); n > 0 {
		explained.Value = explained.Chain[n-1].Value
	}
	value, said, err := e.dovecot.Value(ctx, filepath.Join(e.dir, config.Main), setting)
	if err == nil && said && (value != "" || explained.Value == standard) {
		explained.Value = e.shown(value)
	}
	return explained, known || said || len(explained.Chain) > 0
}

// chain are the lines that set a setting; the last one is in force.
func (e explainer) chain(setting string) []step {
	chain := []step{}
	for _, l := range e.lines {
		if l.Setting == setting {
			chain = append(chain, e.step(l))
		}
	}
	if len(chain) > 0 {
		chain[len(chain)-1].InForce = true
	}
	e.attribute(chain)
	for i := range chain {
		chain[i].Value = e.shown(chain[i].Value)
	}
	return chain
}

func (e explainer) step(l dovecot.Line) step {
	s := step{Line: l}
	if now := e.followed[key{l.File, l.Setting}]; !l.Mine && e.shown(now) != e.shown(l.Value) {
		s.Resized = now
	}
	return s
}
