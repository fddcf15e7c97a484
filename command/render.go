package command

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/candidate"
	"pidgeon/config"
	"pidgeon/dovecot"
	"pidgeon/mount"
	"pidgeon/publish"
)

// Render prints the configuration, writes it, or prints what overrides change in it.
func Render(c Call) int {
	flags := c.flags()
	diff, output := flags.Bool("diff", false, ""), flags.String("output", "", "")
	if code, ok := c.parse(flags, false); !ok {
		return code
	}
	if *diff && *output != "" {
		return c.Usage("render takes --diff, or --output DIR")
	}
	t, err := c.open()
	if err != nil {
		return c.complain(err)
	}
	defer t.close()
	v, err := t.judge()
	if err == nil {
		err = passed(v)
	}
	switch {
	case err != nil:
	case *diff:
		err = c.printDiff(t, v.Dir)
	default:
		err = c.printFiles(v, *output)
	}
	if err != nil {
		return c.complain(err)
	}
	return 0
}

// printFiles writes the files to a directory, or prints them, but for those that nobody
// should find in a log: passwords and the key.
func (c Call) printFiles(v candidate.Verdict, output string) error {
	files := slices.Clone(v.Files)
	for i, f := range files {
		var err error
		if files[i].Data, err = os.ReadFile(filepath.Join(v.Dir, f.Name)); err != nil {
			return err
		}
	}
	if output != "" {
		return writeFiles(files.For(output), output)
	}
	for _, f := range files {
		if filepath.Ext(f.Name) == ".conf" {
			fmt.Fprintf(c.Stdout, "#### %s (%s)\n%s\n", f.Name, f.Origin, f.Data)
		}
	}
	return nil
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
func (c Call) printDiff(t *trial, dir string) error {
	plain, err := t.plain()
	if err != nil {
		return err
	}
	before, err := t.Dovecot.Dump(t.ctx, filepath.Join(plain, config.Main), false)
	if err != nil {
		return err
	}
	after, err := t.Dovecot.Dump(t.ctx, filepath.Join(dir, config.Main), false)
	if err != nil {
		return err
	}
	c.printChanges(dovecot.ParseDump(strings.ReplaceAll(before, plain, "…")), dovecot.ParseDump(strings.ReplaceAll(after, dir, "…")))
	return nil
}

// plain stages what the configuration would be without overrides.
func (t *trial) plain() (dir string, err error) {
	in, err := t.Read(candidate.Live{})
	if err != nil {
		return "", err
	}
	store, err := publish.Open(filepath.Join(t.store.Dir, "plain"), t.store.GID)
	if err != nil {
		return "", err
	}
	in.Overrides = mount.Tree{}
	c, err := t.Build(in, store.Next())
	if err != nil {
		return "", err
	}
	return store.Stage(c.Files)
}

func (c Call) printChanges(before, after dovecot.Settings) {
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
			fmt.Fprintf(c.Stdout, "- %s = %s\n", name, old)
		}
		if has {
			fmt.Fprintf(c.Stdout, "+ %s = %s\n", name, now)
		}
	}
}
