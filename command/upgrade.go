package command

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"pidgeon/dovecot/upgrade"
	"pidgeon/settings"
)

// exitCarried is the exit code of upgrade --check where all can be carried over.
const exitCarried = 1

// Upgrade prints what becomes of a configuration for Dovecot 2.3 in 2.4, or writes it.
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
		if path == "" {
			s, err := settings.Load(c.Environ)
			if err != nil {
				return err
			}
			path = string(s.OverridesDir)
		}
		return c.upgrade(path, *output, *check)
	})
}

func (c Call) upgrade(path, output string, check bool) error {
	before, after, err := upgrade.Load(path)
	if err != nil {
		return err
	}
	changed := false
	for _, f := range after.Files {
		old := before.Data(f.Name)
		if bytes.Equal(old, f.Data) {
			continue
		}
		changed = true
		if !check && output == "" {
			_, _ = c.Stdout.Write(diff.Diff(f.Origin, old, f.Origin+" for 2.4", f.Data))
		}
	}
	slices.Sort(after.Merged)
	for _, name := range slices.Compact(after.Merged) {
		fmt.Fprintf(c.Stderr, "merged: %s\n", name)
	}
	if output != "" {
		for i := range after.Files {
			after.Files[i].Mode = 0o640
		}
		if err := writeFiles(after.Files, filepath.Clean(output)); err != nil {
			return err
		}
	}
	switch {
	case len(after.Left) > 0:
		return after.Left
	case check && changed:
		return failure{exitCarried, "all of it can be carried over to Dovecot 2.4"}
	}
	return nil
}
