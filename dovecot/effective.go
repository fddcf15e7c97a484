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
// "service/imap-login/process_limit".
type Settings map[string]string

// Effective asks what the configuration main comes to for the given settings. A
// setting that 2.4 leaves at a built-in default is missing from the answer.
func (d *Dovecot) Effective(ctx context.Context, main string, names ...string) (Settings, error) {
	out, err := d.printed(ctx, append([]string{"-c", main}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("reading the effective configuration: %w", err)
	}
	return parseSettings(out), nil
}

// printed is what doveconf prints. What it ends well with need not be a
// configuration: a broken disk or library prints anything.
func (d *Dovecot) printed(ctx context.Context, args ...string) (string, error) {
	out, err := d.output(ctx, exec.Command(d.doveconf, args...))
	if err == nil && bytes.IndexByte(out, 0) >= 0 {
		err = errors.New("doveconf prints what is no configuration")
	}
	return string(out), err
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

// parseSettings reads doveconf's output: 2.3 prints full names, 2.4 prints the
// sections around each setting.
func parseSettings(out string) Settings {
	s := Settings{}
	var sections []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch key, value, assigned := strings.Cut(line, " ="); {
		case strings.HasSuffix(line, " {") && !assigned:
			name := strings.ReplaceAll(strings.TrimSuffix(line, " {"), " ", "/")
			sections = append(sections, strings.ReplaceAll(name, `"`, ""))
		case line == "}":
			sections = sections[:max(0, len(sections)-1)]
		case assigned:
			s[strings.Join(append(sections[:len(sections):len(sections)], key), "/")] = strings.TrimSpace(value)
		}
	}
	return s
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

// ParseDump reads what Dump returns.
func ParseDump(dump string) Settings { return parseSettings(dump) }
