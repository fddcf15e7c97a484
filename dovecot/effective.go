package dovecot

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// Settings are effective values by their full name, as in
// "service/imap-login/process_limit".
type Settings map[string]string

// Effective asks what the configuration main comes to for the given settings. A
// setting that 2.4 leaves at a built-in default is missing from the answer.
func (d *Dovecot) Effective(ctx context.Context, main string, names ...string) (Settings, error) {
	out, err := d.output(ctx, exec.Command(d.doveconf, append([]string{"-c", main}, names...)...))
	if err != nil {
		return nil, fmt.Errorf("reading the effective configuration: %w", err)
	}
	return parseSettings(string(out)), nil
}

// Int returns a number; ok is false where it is not set or is none.
func (s Settings) Int(name string) (n int, ok bool) {
	n, err := strconv.Atoi(s[name])
	return n, err == nil
}

// parseSettings reads doveconf's output: 2.3 prints full names, 2.4 prints the
// sections around each setting.
func parseSettings(out string) Settings {
	s := Settings{}
	var sections []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch key, value, assigned := strings.Cut(line, " ="); {
		case strings.HasSuffix(line, " {"):
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

// Changed returns the settings that differ from Dovecot's defaults, keys and
// passwords hidden.
func (d *Dovecot) Changed(ctx context.Context, main string) (Settings, error) {
	out, err := d.output(ctx, exec.Command(d.doveconf, "-n", "-c", main))
	if err != nil {
		return nil, fmt.Errorf("reading the effective configuration: %w", err)
	}
	return parseSettings(string(out)), nil
}
