package command

import (
	"errors"
	"slices"
	"strings"

	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/finding"
	"pidgeon/settings"
)

// Explain prints the value of a setting and the lines that set it, or the lines that depend on
// a variable.
func Explain(c Call) int {
	args := slices.DeleteFunc(slices.Clone(c.Args), func(arg string) bool { return arg == "--json" })
	asJSON := len(args) < len(c.Args) // flags may come last here: people add them to what they asked before
	name := dovecot.SettingName(args...)
	if name == "" {
		return c.Usage("explain takes the name of a setting, or of a variable, and --json")
	}
	return c.exit(c.judging(func(j *judgement) error {
		e, err := j.explainer()
		if err != nil {
			return err
		}
		if v, ours := variable(strings.TrimSuffix(name, "_FILE")); ours {
			return e.explainVariable(v, asJSON)
		}
		return e.explainSetting(name, asJSON)
	}))
}

func (e explainer) explainSetting(name string, asJSON bool) error {
	all := e.settings(name)
	if len(all) == 0 {
		return e.unknown(name)
	}
	if err := e.print(asJSON, all, "settings"); err != nil {
		return err
	}
	if _, _, err := e.value("protocols"); err != nil {
		return errors.New("reading the value: Dovecot refuses the configuration as it is, and these are its lines alone: see pidgeon check")
	}
	return nil
}

func (e explainer) unknown(name string) error {
	complaint := "Dovecot " + e.Dovecot.Version + " has no setting " + name
	if hint := lint.SuggestSetting(e.ctx, e.Dovecot, name); hint != "" {
		return misuse(complaint + ": " + hint)
	}
	var variables []string
	for _, v := range settings.Variables() {
		variables = append(variables, v.Name)
	}
	if near := strings.Join(finding.Nearest(strings.ToUpper(name), variables, 2), " or "); near != "" {
		return misuse(complaint + ": did you mean the variable " + near + "?")
	}
	return misuse(complaint)
}

// explainVariable prints a variable and the lines that depend on it.
func (e explainer) explainVariable(v settings.Variable, asJSON bool) error {
	origin := e.origin(v.Name)
	lines := e.chain(func(s step) bool { return slices.Contains(s.Variables, origin) })
	return e.print(asJSON, map[string]any{"variable": origin, "meaning": v.Doc, "lines": lines}, "variable")
}
