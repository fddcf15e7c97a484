package command

import (
	"errors"
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
	return c.run(flags, func() error {
		if *diff && *output != "" {
			return misuse("render takes --diff, or --output DIR")
		}
		return c.judging(func(j *judgement) error {
			v, err := j.verdict()
			if err == nil {
				err = refusalOf(v)
			}
			switch {
			case err != nil:
				return err
			case *diff:
				return j.printDiff(v.Dir)
			}
			return j.printFiles(v, *output)
		})
	})
}

// printFiles writes the files to a directory, or prints them, but for those that nobody
// should find in a log: passwords and the key.
func (j *judgement) printFiles(v candidate.Verdict, output string) error {
	files := slices.Clone(v.Files)
	for i, f := range files {
		var err error
		if files[i].Data, err = os.ReadFile(filepath.Join(v.Dir, f.Name)); err != nil {
			return err
		}
	}
	if output != "" {
		return writeFiles(files.Relocate(output), output)
	}
	for _, f := range files {
		if filepath.Ext(f.Name) == ".conf" {
			fmt.Fprintf(j.Stdout, "#### %s (%s)\n%s\n", f.Name, f.Origin, f.Data)
		}
	}
	return nil
}

func writeFiles(files config.Files, dir string) error {
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		err := os.MkdirAll(filepath.Dir(path), 0o750)
		if err == nil {
			err = os.WriteFile(path, f.Data, f.Mode)
		}
		if err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
	}
	return nil
}

// printDiff compares what Dovecot understands with and without the overrides.
func (j *judgement) printDiff(dir string) error {
	plain, err := j.plain()
	if err != nil {
		return err
	}
	dump := func(dir string) (dovecot.Settings, error) {
		text, err := j.Dovecot.Dump(j.ctx, filepath.Join(dir, config.Main), false)
		return dovecot.ParseDump(strings.ReplaceAll(text, dir, "…")), err
	}
	before, err := dump(plain)
	after, err2 := dump(dir)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		old, had := before[name]
		now, has := after[name]
		if old == now && had == has {
			continue
		}
		if had {
			fmt.Fprintf(j.Stdout, "- %s = %s\n", name, old)
		}
		if has {
			fmt.Fprintf(j.Stdout, "+ %s = %s\n", name, now)
		}
	}
	return nil
}

// plain stages what the configuration would be without overrides.
func (j *judgement) plain() (dir string, err error) {
	in, err := j.Read(candidate.Live{})
	if err != nil {
		return "", err
	}
	store, err := publish.Open(filepath.Join(j.store.Dir, "plain"), j.store.UID, j.store.GID)
	if err != nil {
		return "", err
	}
	in.Overrides = mount.Tree{}
	c, err := j.Build(in, store.Next())
	if err != nil {
		return "", err
	}
	return store.Stage(c.Files)
}
