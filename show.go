package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/dovecot"
)

// render prints the configuration, writes it, or prints what overrides change.
func (c command) render() int {
	output, diff := "", false
	switch {
	case len(c.args) == 1 && c.args[0] == "--diff":
		diff = true
	case len(c.args) == 2 && c.args[0] == "--output":
		output = c.args[1]
	case len(c.args) > 0:
		return c.usage("render takes --diff, or --output DIR")
	}
	w, err := c.workshop()
	if err != nil {
		return c.complain(err)
	}
	defer w.closing.close()
	candidate, dir, err := w.candidate(context.Background())
	switch {
	case err != nil:
	case diff:
		err = c.printDiff(w, dir)
	case output != "":
		err = writeFiles(candidate.files.For(output), output)
	default:
		c.print(candidate.files)
	}
	if err != nil {
		return c.complain(err)
	}
	return 0
}

// print leaves out what nobody should find in a log: passwords and the key.
func (c command) print(files config.Files) {
	for _, f := range files {
		if filepath.Ext(f.Name) == ".conf" {
			fmt.Fprintf(c.stdout, "#### %s (%s)\n%s\n", f.Name, f.Origin, f.Data)
		}
	}
}

func writeFiles(files config.Files, dir string) error {
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
	}
	return nil
}

// printDiff compares what Dovecot understands with and without the overrides.
func (c command) printDiff(w *workshop, dir string) error {
	ctx := context.Background()
	in, err := w.read(ctx)
	if err != nil {
		return err
	}
	in.tree.Conf, in.tree.Templates = nil, nil
	plain, err := w.build(in, w.store.Next())
	if err != nil {
		return err
	}
	plainDir, err := w.builder.check(ctx, w.store, in, &plain)
	if err != nil {
		return err
	}
	before, err := w.dovecot.Dump(ctx, filepath.Join(plainDir, config.Main), false)
	if err != nil {
		return err
	}
	after, err := w.dovecot.Dump(ctx, filepath.Join(dir, config.Main), false)
	if err != nil {
		return err
	}
	c.printChanges(dovecot.ParseDump(strings.ReplaceAll(before, plainDir, "…")), dovecot.ParseDump(strings.ReplaceAll(after, dir, "…")))
	return nil
}

func (c command) printChanges(before, after dovecot.Settings) {
	names := map[string]bool{}
	for _, settings := range []dovecot.Settings{before, after} {
		for name := range settings {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := before[name]
		now, has := after[name]
		if old == now && had == has {
			continue
		}
		if had {
			fmt.Fprintf(c.stdout, "- %s = %s\n", name, old)
		}
		if has {
			fmt.Fprintf(c.stdout, "+ %s = %s\n", name, now)
		}
	}
}
