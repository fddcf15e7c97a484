package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/settings"
)

// explain tells what a setting is, and who set it.
func (c command) explain() int {
	args := slices.DeleteFunc(slices.Clone(c.args), func(arg string) bool { return arg == "--json" })
	name := dovecot.FullName(args...)
	if name == "" {
		return c.usage("explain takes the name of a setting, or of a variable, and --json")
	}
	w, err := c.workshop()
	if err != nil {
		return c.complain(err)
	}
	defer w.closing.close()
	e, err := w.explainer(context.Background())
	if err != nil {
		return c.complain(err)
	}
	asJSON := len(args) < len(c.args)
	if v, ok := variable(name); ok {
		return c.explainVariable(e, v, asJSON)
	}
	return c.explainSetting(e, name, asJSON)
}

// explainer holds a candidate that need not be a good one.
type explainer struct {
	*workshop
	in       sources
	dir      string
	lines    []dovecot.Line         // as the variables make them
	followed map[key]string         // as the sizes follow what overrides set
	tried    map[string][]rendering // with other values, by the variable
}

func (w *workshop) explainer(ctx context.Context) (explainer, error) {
	in, err := w.read(ctx)
	if err != nil {
		return explainer{}, err
	}
	c, err := w.build(in, w.store.Next())
	if err != nil {
		return explainer{}, err
	}
	dir, err := w.store.Stage(c.files)
	if err != nil {
		return explainer{}, err
	}
	e := explainer{workshop: w, in: in, lines: textsOf(c.files, dir).Lines(), tried: map[string][]rendering{}}
	e.dir, err = w.follow(ctx, w.store, in, &c, dir)
	e.followed = byKey(textsOf(c.files, e.dir).Lines())
	return e, err
}

func (c command) explainSetting(e explainer, name string, asJSON bool) int {
	ctx := context.Background()
	all := e.settings(ctx, name)
	if len(all) == 0 {
		return c.unknownSetting(ctx, e, name)
	}
	if asJSON {
		if err := writeJSON(c.stdout, all); err != nil {
			return c.complain(err)
		}
	} else {
		c.printExplanations(all)
	}
	if _, _, err := e.dovecot.Value(ctx, filepath.Join(e.dir, config.Main), "protocols"); err != nil {
		return c.complain(errors.New("reading the value: Dovecot refuses the configuration as it is, and these are its lines alone: see pidgeon check"))
	}
	return 0
}

func (c command) unknownSetting(ctx context.Context, e explainer, name string) int {
	complaint := "Dovecot " + e.dovecot.Version + " has no setting " + name
	if hint := e.dovecot.Suggest(ctx, name); hint != "" {
		complaint += ": " + hint
	} else if near := nearVariable(name); near != "" {
		complaint += ": did you mean the variable " + near + "?"
	}
	return c.usage(complaint)
}

// printExplanations puts the line in force first.
func (c command) printExplanations(all []explanation) {
	for i, e := range all {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		fmt.Fprintf(c.stdout, "%s = %s\n  holds %s\n", e.Setting, e.Value, e.Scope)
		for _, s := range slices.Backward(e.Chain) {
			c.printStep(s)
		}
		if len(e.Chain) == 0 {
			fmt.Fprintln(c.stdout, "  set by nobody: it is Dovecot's default")
		} else {
			fmt.Fprintf(c.stdout, "  Dovecot's default: %s\n", e.Default)
		}
	}
}

func (c command) printStep(s step) {
	what := "overwritten:"
	if s.InForce {
		what = "set by"
	}
	fmt.Fprintf(c.stdout, "  %s %s:%d: %s\n", what, s.File, s.Line.Line, s.Value)
	if s.Resized != "" {
		fmt.Fprintf(c.stdout, "    resized to %s to go with the overrides\n", s.Resized)
	}
	for _, v := range s.Variables {
		fmt.Fprintf(c.stdout, "    from %s\n", v)
	}
}

// variable finds a variable of ours by its name, or by that of its file.
func variable(name string) (settings.Variable, bool) {
	for _, v := range settings.Variables() {
		if name == v.Name || name == v.Name+"_FILE" {
			return v, true
		}
	}
	return settings.Variable{}, false
}

var generation = regexp.MustCompile(`/gen-\d+\b`)

// shown names a file of the generation by the path it has when that runs.
func (e explainer) shown(value string) string {
	current := filepath.Join(string(e.in.settings.RunDir), "current")
	return strings.ReplaceAll(generation.ReplaceAllString(value, ""), e.store.Dir, current)
}
