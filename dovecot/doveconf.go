package dovecot

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"pidgeon/lazyregexp"
)

// Reading are the effective settings of a configuration.
type Reading struct {
	Settings        // that differ from Dovecot's defaults, and those that were asked for
	Dump     string // the former as Dump has them, with secrets
}

// Effective reads the configuration main, with the settings of these names even if they are
// at Dovecot's default. Settings that 2.4 leaves at a built-in default are missing. 2.4 is
// asked for them by name, because some of its defaults depend on dovecot_config_version.
// 2.3 is not, because it then takes 10 times as long for 1000 sections (2.3.19).
func (d *Dovecot) Effective(ctx context.Context, main string, names ...string) (r Reading, err error) {
	var named Settings
	if d.Dialect == "2.3" {
		named, err = d.Defaults(ctx)
	} else {
		named, err = d.named(ctx, main, names...)
	}
	if err != nil {
		return r, err
	}
	if r.Dump, err = d.Dump(ctx, main, true); err != nil {
		return r, err
	}
	r.Settings = ParseDump(r.Dump)
	for _, name := range names {
		value, known := named[name]
		if _, differs := r.Settings[name]; known && !differs {
			r.Settings[name] = value
		}
	}
	return r, nil
}

// named asks for settings by their names.
func (d *Dovecot) named(ctx context.Context, main string, names ...string) (Settings, error) {
	out, err := d.prints(ctx, append([]string{"-c", main}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("reading the effective configuration: %w", err)
	}
	return ParseDump(out), nil
}

// Dump is the output of doveconf -n: all settings that differ from Dovecot's defaults. With
// secrets it has keys and passwords, and must not be shown.
func (d *Dovecot) Dump(ctx context.Context, main string, secrets bool) (string, error) {
	args := []string{"-n", "-c", main}
	if secrets {
		args = append(args, "-P")
	}
	out, err := d.prints(ctx, args...)
	if err != nil {
		return "", fmt.Errorf("reading the effective configuration: %w", err)
	}
	var settings strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "# ") { // a banner that names the file
			settings.WriteString(line)
		}
	}
	return settings.String(), nil
}

// Defaults are all settings that Dovecot knows, by their sections, with their defaults.
// Dovecot is asked once.
func (d *Dovecot) Defaults(ctx context.Context) (Settings, error) {
	d.asking.Lock()
	defer d.asking.Unlock()
	if d.defaults != nil {
		return d.defaults, nil
	}
	out, err := d.prints(ctx, "-d", "-s")
	if err != nil { // before 2.3.15 there is no -s, and 13 settings are hidden
		out, err = d.prints(ctx, "-d")
	}
	if err != nil {
		return nil, fmt.Errorf("asking for all settings: %w", err)
	}
	d.defaults = ParseDump(out)
	return d.defaults, nil
}

// Services are the names of Dovecot's services, none if doveconf does not list them.
func (d *Dovecot) Services(ctx context.Context) []string {
	defaults, _ := d.Defaults(ctx)
	var all []string
	for name := range defaults {
		if parts := strings.Split(name, "/"); len(parts) > 2 && parts[0] == "service" {
			all = append(all, parts[1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// prints is the output of doveconf. It is checked, because with a broken disk or library
// doveconf can succeed and print no configuration.
func (d *Dovecot) prints(ctx context.Context, args ...string) (string, error) {
	out, err := d.output(ctx, exec.Command(d.Doveconf, args...))
	switch all := args[0] != "-c"; {
	case err == nil && all && out == "":
		err = errors.New("doveconf prints nothing")
	case err == nil && strings.Contains(out, "\x00"):
		err = errors.New("doveconf prints what is no configuration")
	}
	return out, err
}

// Value asks doveconf for a setting of the configuration main; ok is false if it prints none,
// as 2.4 does for some defaults.
func (d *Dovecot) Value(ctx context.Context, main, setting string) (value string, ok bool, err error) {
	name, asked := setting, []string{setting}
	inside, _ := strings.CutPrefix(setting, "protocol/")
	if protocol, inner, ok := strings.Cut(inside, "/"); ok && inside != setting { // protocol/imap/mail_plugins
		name, asked = inner, []string{"-f", "protocol=" + protocol, inner}
	}
	s, err := d.named(ctx, main, asked...)
	value, ok = s[name]
	return value, ok, err
}

// Default is the default of a setting, and the name that Dovecot lists it by. One in a section
// that is listed by its last word alone has the global value where the section does not set it.
func (d *Dovecot) Default(ctx context.Context, setting string) (value, listed string, ok bool) {
	defaults, _ := d.Defaults(ctx)
	parts := strings.Split(setting, "/")
	last, around := parts[len(parts)-1], parts[max(0, len(parts)-3)] // its kind, before its name
	for _, listed := range []string{setting, around + "_" + last, parts[0] + "_" + last, last} {
		if value, ok = defaults[listed]; ok {
			return value, listed, true
		}
	}
	return "", "", false
}

// Complaint is an error or a warning of doveconf.
type Complaint struct {
	Fatal   bool
	File    string // as Dovecot reads it
	Line    int    // 0 for one about the whole
	Problem string
}

// Complaints are the complaints of doveconf about the configuration main. An error means that
// doveconf has failed without one.
func (d *Dovecot) Complaints(ctx context.Context, main string) ([]Complaint, error) {
	_, said, err := d.ask(ctx, exec.Command(d.Doveconf, "-x", "-n", "-c", main)) // with -x its output holds keys and passwords
	complaints := parseComplaints(said)
	if err != nil && !slices.ContainsFunc(complaints, func(c Complaint) bool { return c.Fatal }) {
		return nil, fmt.Errorf("checking with doveconf: %w", err)
	}
	return complaints, nil
}

var (
	// "doveconf: Fatal: Error in configuration file F line N: …", and without line.
	fatalText = lazyregexp.New(`(?s)(?:Error in configuration file |: Error: )(\S+?)(?: line (\d+))?: (.*)$`)
	// "doveconf: Warning: [Configuration file ]F line N: …"
	warningText = lazyregexp.New(`doveconf: Warning: (?:Obsolete setting in |Configuration file )?(/\S+?)(?: line |:)(\d+): (.*)$`)
	startedAt   = lazyregexp.New(` ?\(section started at (\S+):(\d+)\)`)
)

// parseComplaints reads doveconf's standard error. A sentence that quotes a line end
// goes on in the next line, after another "Fatal:" (2.4.1).
func parseComplaints(said string) []Complaint {
	var all []Complaint
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		_, fatal, isFatal := strings.Cut(line, "Fatal: ")
		if _, panicked, ok := strings.Cut(line, "Panic: "); ok {
			fatal, isFatal = panicked, true
		}
		switch {
		case isFatal && strings.HasPrefix(fatal, ")") && len(all) > 0:
			all[len(all)-1].Problem += fatal
		case isFatal:
			c := Complaint{Fatal: true, Problem: fatal}
			c.place(fatalText.FindStringSubmatch(fatal))
			if m := startedAt.FindStringSubmatch(c.Problem); m != nil {
				c.place(append(m, startedAt.ReplaceAllString(c.Problem, "")))
			}
			all = append(all, c)
		case strings.Contains(line, "Warning: NOTE: You can get a new clean config file"): // of no use here
		case strings.Contains(line, "Warning: "):
			c := Complaint{Problem: strings.TrimPrefix(line, "doveconf: Warning: ")}
			c.place(warningText.FindStringSubmatch(line))
			all = append(all, c)
		}
	}
	return all
}

// place takes file, line and problem from a match.
func (c *Complaint) place(match []string) {
	if match != nil {
		c.File, c.Problem = match[1], match[3]
		c.Line, _ = strconv.Atoi(match[2])
	}
}
