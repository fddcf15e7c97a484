package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"pidgeon/certificate"
	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/mount"
)

// check prints every finding; it exits 78 if one of them refuses.
func (c command) check() int {
	asJSON := slices.Equal(c.args, []string{"--json"})
	if len(c.args) > 0 && !asJSON {
		return c.usage("check takes --json, and no other arguments")
	}
	found, summary := c.survey(context.Background())
	code := 0
	if len(found.Faults()) > 0 {
		code = exitConfig
	}
	if asJSON {
		return c.printJSON(found, code)
	}
	for _, f := range found.Warnings() {
		fmt.Fprintln(c.stdout, "warning:", f)
	}
	for _, f := range found.Faults() {
		fmt.Fprintln(c.stderr, "error:", f)
	}
	if code == 0 {
		fmt.Fprintln(c.stdout, summary)
	}
	return code
}

// printJSON prints an array, also where nothing was found.
func (c command) printJSON(found finding.List, code int) int {
	if found == nil {
		found = finding.List{}
	}
	if err := writeJSON(c.stdout, found); err != nil {
		return c.complain(err)
	}
	return code
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// survey finds all that is wrong with the sources as they are.
func (c command) survey(ctx context.Context) (found finding.List, summary string) {
	w, err := c.workshop()
	if err != nil {
		return findings(err), ""
	}
	defer w.closing.close()
	candidate, err := w.everything(ctx)
	found = append(candidate.remarks, findings(err)...)
	return found, fmt.Sprintf("fine: Dovecot %s accepts the configuration, with %d overrides", w.dovecot.Version, len(candidate.overrides))
}

// everything makes and checks a candidate as the entrypoint would, but goes on
// after a fault with what is left: an operator wants to know all at once.
func (w *workshop) everything(ctx context.Context) (candidate, error) {
	in, readErr := w.read(ctx)
	if readErr != nil && in.settings.RunDir == "" {
		return candidate{remarks: in.remarks}, readErr
	}
	if readErr != nil {
		in.pair, _ = certificate.SelfSigned(w.selfSigned, string(in.settings.Hostname), time.Now())
	}
	if err := w.trial(ctx, in.tree); err != nil { // its templates cannot be rendered here either
		return candidate{remarks: in.remarks}, errors.Join(readErr, err)
	}
	c, buildErr := w.build(in, w.store.Next())
	if buildErr != nil {
		in.tree = without(in.tree, findings(buildErr))
		rest, err := w.build(in, w.store.Next())
		if err != nil {
			return c, errors.Join(readErr, buildErr)
		}
		c = rest
	}
	_, err := w.builder.check(ctx, w.store, in, &c)
	return c, errors.Join(readErr, buildErr, err)
}

// without leaves out the files that cannot be rendered.
func without(tree mount.Tree, found finding.List) mount.Tree {
	faulty := func(f config.File) bool {
		return slices.ContainsFunc(found, func(at finding.Finding) bool { return at.File == f.Origin })
	}
	tree.Conf = slices.DeleteFunc(slices.Clone(tree.Conf), faulty)
	tree.Templates = slices.DeleteFunc(slices.Clone(tree.Templates), faulty)
	return tree
}
