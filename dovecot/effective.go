package dovecot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Settings are effective values by their full name, as in
// "service/imap-login/process_limit". The name of a section is in there as it is,
// blanks and slashes included.
type Settings map[string]string

// Effective asks what the configuration main comes to for the given settings. A
// setting that 2.4 leaves at a built-in default is missing from the answer.
func (d *Dovecot) Effective(ctx context.Context, main string, names ...string) (Settings, error) {
	out, err := d.printed(ctx, append([]string{"-c", main}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("reading the effective configuration: %w", err)
	}
	return ParseDump(out), nil
}

// Dump is all that differs from Dovecot's defaults, as doveconf -n prints it. With
// secrets it tells two configurations apart by their keys and passwords too, and
// is not to be shown.
func (d *Dovecot) Dump(ctx context.Context, main string, secrets bool) (string, error) {
	args := []string{"-n", "-c", main}
	if secrets {
		args = append(args, "-P")
	}
	out, err := d.printed(ctx, args...)
	if err == nil && out == "" {
		err = errors.New("doveconf prints nothing")
	}
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

// Defaults are all settings that Dovecot knows, by their sections, with what they are
// where nothing sets them. Dovecot is asked once.
func (d *Dovecot) Defaults(ctx context.Context) (Settings, error) {
	d.asking.Lock()
	defer d.asking.Unlock()
	if d.defaults != nil {
		return d.defaults, nil
	}
	out, err := d.printed(ctx, "-d", "-s")
	if err == nil && out == "" {
		err = errors.New("doveconf prints nothing")
	}
	if err != nil {
		return nil, fmt.Errorf("asking for all settings: %w", err)
	}
	d.defaults = ParseDump(out)
	return d.defaults, nil
}

// Services are the names of those that Dovecot comes with, none if it does not say.
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

// printed is what doveconf prints. It may end well and have printed no
// configuration: a broken disk or library prints anything.
func (d *Dovecot) printed(ctx context.Context, args ...string) (string, error) {
	out, err := d.output(ctx, exec.Command(d.Doveconf, args...))
	if err == nil && bytes.IndexByte(out, 0) >= 0 {
		err = errors.New("doveconf prints what is no configuration")
	}
	return string(out), err
}

// ParseDump reads what doveconf prints: asked for a setting, 2.3 prints full names;
// everything else it prints, and all that 2.4 does, stands in its sections. Listeners
// that 2.3 allows to have no name are numbered: each is one of its own.
func ParseDump(dump string) Settings {
	s := Settings{}
	sections := []string{""} // each with those around it, and a slash at its end
	unnamed := 0
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		around := sections[len(sections)-1]
		switch value, assigned := strings.CutPrefix(rest, "="); {
		case assigned:
			s[around+word] = strings.TrimSpace(value)
		case line == "}":
			sections = sections[:max(1, len(sections)-1)]
		case strings.HasSuffix(line, " {"):
			name := sectionName(strings.TrimSuffix(rest, "{"))
			if name == "" && slices.Contains(socketKinds, word) {
				unnamed++
				name = unnamedPrefix + strconv.Itoa(unnamed)
			}
			if name != "" {
				word += "/" + name
			}
			sections = append(sections, around+word+"/")
		}
	}
	return s
}

// sectionName undoes the quotes around a name with blanks.
func sectionName(name string) string {
	name = strings.TrimSpace(name)
	if inner, ok := strings.CutPrefix(name, `"`); ok {
		name = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\'`, `'`).Replace(strings.TrimSuffix(inner, `"`))
	}
	return name
}

// Int returns a number; ok is false where it is not set or is none.
func (s Settings) Int(name string) (n int, ok bool) {
	n, err := strconv.Atoi(s[name])
	return n, err == nil
}

// On reports whether a protocol is on: 2.3 lists them, 2.4 has a setting for each.
func (s Settings) On(protocol string) bool {
	listed := strings.Fields(strings.Trim(s["protocols"], `"`))
	return slices.Contains(listed, protocol) || s["protocols/"+protocol] == "yes"
}
