package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"pidgeon/dovecot"
	"pidgeon/dovecot/lint"
	"pidgeon/settings"
)

// Explain tells what a setting is, and who set it; or what a variable sets.
func Explain(c Call) int {
	args := slices.DeleteFunc(slices.Clone(c.Args), func(arg string) bool { return arg == "--json" })
	asJSON := len(args) < len(c.Args) // flags may come last here: people add them to what they asked before
	name := dovecot.FullName(args...)
	if name == "" {
		return c.Usage("explain takes the name of a setting, or of a variable, and --json")
	}
	t, err := c.open()
	if err != nil {
		return c.complain(err)
	}
	defer t.close()
	e, err := t.explainer()
	if err != nil {
		return c.complain(err)
	}
	for _, v := range settings.Variables() {
		if name == v.Name || name == v.Name+"_FILE" {
			return c.explainVariable(e, v, asJSON)
		}
	}
	return c.explainSetting(e, name, asJSON)
}

func (c Call) explainSetting(e explainer, name string, asJSON bool) int {
	all := e.settings(name)
	if len(all) == 0 {
		return c.unknownSetting(e, name)
	}
	if asJSON {
		if err := writeJSON(c.Stdout, all); err != nil {
			return c.complain(err)
		}
	} else {
		c.printExplanations(all)
	}
	if _, _, err := e.value("protocols"); err != nil {
		return c.complain(errors.New("reading the value: Dovecot refuses the configuration as it is, and these are its lines alone: see pidgeon check"))
	}
	return 0
}

func (c Call) unknownSetting(e explainer, name string) int {
	complaint := "Dovecot " + e.Dovecot.Version + " has no setting " + name
	if hint := lint.Suggest(e.ctx, e.Dovecot, name); hint != "" {
		return c.Usage(complaint + ": " + hint)
	}
	for _, v := range settings.Variables() {
		if levenshtein.ComputeDistance(strings.ToUpper(name), v.Name) <= 2 {
			return c.Usage(complaint + ": did you mean the variable " + v.Name + "?")
		}
	}
	return c.Usage(complaint)
}

// printExplanations puts the line in force first.
func (c Call) printExplanations(all []explanation) {
	for i, e := range all {
		if i > 0 {
			fmt.Fprintln(c.Stdout)
		}
		fmt.Fprintf(c.Stdout, "%s = %s\n  holds %s\n", e.Setting, e.Value, e.Scope)
		for _, s := range slices.Backward(e.Chain) {
			c.printStep(s)
		}
		if len(e.Chain) == 0 {
			fmt.Fprintln(c.Stdout, "  set by nobody: it is Dovecot's default")
		} else {
			fmt.Fprintf(c.Stdout, "  Dovecot's default: %s\n", e.Default)
		}
	}
}

func (c Call) printStep(s step) {
	what := "overwritten:"
	if s.InForce {
		what = "set by"
	}
	fmt.Fprintf(c.Stdout, "  %s %s:%d: %s\n", what, s.File, s.Line.Line, s.Value)
	if s.Sum != "" {
		fmt.Fprintf(c.Stdout, "    %s\n", s.Sum)
	}
	if s.ResizedFrom != 0 {
		fmt.Fprintf(c.Stdout, "    resized from %d to go with the overrides\n", s.ResizedFrom)
	}
	for _, v := range s.Variables {
		fmt.Fprintf(c.Stdout, "    from %s\n", v)
	}
}

// explainVariable tells what a variable is, and which lines depend on it.
func (c Call) explainVariable(e explainer, v settings.Variable, asJSON bool) int {
	origin := e.origin(v.Name)
	lines := e.chain(func(s step) bool { return slices.Contains(s.Variables, origin) })
	if asJSON {
		if err := writeJSON(c.Stdout, map[string]any{"variable": origin, "meaning": v.Doc, "lines": lines}); err != nil {
			return c.complain(err)
		}
		return 0
	}
	fmt.Fprintf(c.Stdout, "%s\n  %s\n", origin, v.Doc)
	if len(lines) == 0 {
		fmt.Fprintln(c.Stdout, "  no line of Dovecot's configuration depends on it")
		return 0
	}
	fmt.Fprintln(c.Stdout, "  these lines depend on it")
	for _, s := range lines {
		fmt.Fprintf(c.Stdout, "    %s:%d: %s = %s\n", s.File, s.Line.Line, s.Setting, s.Value)
		if s.OverwrittenBy != "" {
			fmt.Fprintf(c.Stdout, "      overwritten by %s\n", s.OverwrittenBy)
		}
	}
	return 0
}
