// Package render turns settings, sizes, templates and overrides into the files
// of a Dovecot configuration. It is a function of its arguments: no clock, no
// network, no randomness, no process environment. Two renderings of the same
// input are equal to the byte.
package render

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pidgeon/config"
)

// Input is everything that a rendering depends on.
type Input struct {
	Builtin        fs.FS        // the templates of one dialect
	Templates      config.Files // replace or add templates
	Overrides      config.Files // *.conf and *.conf.tmpl
	Scripts        config.Files // for Sieve
	OperatorConfig config.Files // a configuration of the operator's own, its main file first
	Data           Data

	marked bool // for Attribute
}

const (
	templatesDir = "conf.d"
	overridesDir = "overrides"
)

// usersFile has the users of USERS. Dovecot asks databases in the order of their
// sections, so those of overrides come before it.
const usersFile = templatesDir + "/30-users.conf"

// ownedFile has the settings that pidgeon relies on; it is included after all overrides.
const ownedFile = templatesDir + "/90-owned.conf"

func moveLast(names []string, name string) []string {
	i := slices.Index(names, name)
	if i < 0 {
		return names
	}
	return append(slices.Delete(names, i, i+1), name)
}

// Render returns the files, or a finding.List that names every template that
// fails.
func Render(in Input) (config.Files, error) {
	if len(in.OperatorConfig) > 0 {
		in.Data.OperatorConfig = string(in.OperatorConfig[0].Data)
	}
	t := parseAll(in)
	if len(t.faults) > 0 {
		return nil, t.faults
	}
	var files, beside config.Files
	for _, name := range sortedKeys(t.sources) {
		switch ext := path.Ext(name); { // others hold definitions alone
		case ext == ".conf" && name != config.Main:
			files = append(files, t.file(name, path.Join(templatesDir, name)))
		case ext == ".sh", ext == ".sieve", ext == ".ext":
			if f := t.file(name, name); len(bytes.TrimSpace(f.Data)) > 0 {
				if ext == ".ext" { // auth of 2.3 reads it by itself
					f.Mode = config.AuthFileMode
				}
				beside = append(beside, f)
			}
		}
	}
	for _, o := range in.Overrides {
		name, isTemplate := strings.CutSuffix(path.Base(o.Name), ".tmpl")
		if isTemplate {
			o.Data = t.override(o)
		}
		o.Name, o.Mode = path.Join(overridesDir, name), 0o640
		files = append(files, o)
	}
	if len(t.faults) > 0 {
		return nil, t.faults
	}
	for _, f := range files {
		t.in.Data.Includes = append(t.in.Data.Includes, f.Name)
	}
	if brought := in.Data.Overrides; brought.Passdb || brought.Userdb {
		t.in.Data.Includes = moveLast(t.in.Data.Includes, usersFile)
	}
	t.in.Data.Includes = moveLast(t.in.Data.Includes, ownedFile)
	main := t.file(config.Main, config.Main)
	if len(t.faults) > 0 {
		return nil, t.faults
	}
	if len(in.OperatorConfig) > 0 { // of which the main file is the beginning, line by line
		own := in.OperatorConfig[0]
		own.Data = main.Data
		main, files = own, append(files, in.OperatorConfig[1:]...)
	}
	return slices.Concat(config.Files{main}, files, beside, in.Scripts, secrets(in.Data)), nil
}
