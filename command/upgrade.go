package command

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"pidgeon/dovecot/upgrade"
	"pidgeon/finding"
	"pidgeon/settings"
)

// exitCarried is the exit code of upgrade --check where all can be carried over.
const exitCarried = 1

// Upgrade converts a configuration for Dovecot 2.3 to 2.4, and prints or writes the result.
func Upgrade(c Call) int {
	flags := c.flags()
	output, check := flags.String("o", "", ""), flags.Bool("check", false, "")
	path := ""
	if len(c.Args) > 0 && !strings.HasPrefix(c.Args[0], "-") {
		path, c.Args = c.Args[0], c.Args[1:]
	}
	return c.run(flags, func() error {
		if *check && *output != "" {
			return misuse("upgrade takes --check, or -o DIR")
		}
		from := []string{path}
		if path == "" {
			s, err := settings.Load(c.Environ)
			if err != nil {
				return err
			}
			if from = []string{string(s.OverridesDir)}; s.HasOperatorConfig() {
				from = []string{string(s.DovecotConf), string(s.OverridesDir)}
			}
		}
		return c.upgrade(from, *output, *check)
	})
}

// upgrade is for one configuration, or for one and its overrides.
func (c Call) upgrade(from []string, output string, check bool) error {
	changed := false
	var left finding.List
	for i, path := range from {
		before, after, err := upgrade.Load(path)
		if err != nil {
			return err
		}
		if after.TooLarge {
			return failure{ExitConfig, path + " is too large for a configuration: nothing is carried over"}
		}
		for _, f := range after.Files {
			old := before.Data(f.Name)
			changed = changed || !bytes.Equal(old, f.Data)
			if !check && output == "" {
				_, _ = c.Stdout.Write(diff.Diff(f.Origin, old, f.Origin+" for 2.4", f.Data))
			}
		}
		for _, f := range after.Differences {
			fmt.Fprintln(c.Stderr, f)
		}
		slices.Sort(after.MergedFiles)
		for _, name := range slices.Compact(after.MergedFiles) {
			fmt.Fprintf(c.Stderr, "merged: %s\n", name)
		}
		if output != "" {
			if err := writeUpgraded(after, filepath.Join(output, []string{"", "overrides"}[i])); err != nil {
				return err
			}
		}
		left = append(left, after.NotCarriedOver...)
	}
	switch {
	case len(left) > 0:
		return left
	case check && changed:
		return failure{exitCarried, "all of it can be carried over to Dovecot 2.4"}
	}
	return nil
}

// writeUpgraded writes files that may hold passwords, which stood in files of their own,
// and what lies beside them.
func writeUpgraded(after upgrade.Result, dir string) error {
	files := slices.Clone(after.Files)
	for i := range files {
		files[i].Mode = 0o640
	}
	return writeFiles(append(files, after.OtherFiles...), dir)
}
