package dovecot

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// Line is a line of a configuration that sets something.
type Line struct {
	Setting string `json:"setting"` // its full name: service/imap-login/process_limit
	Value   string `json:"value"`   // as written
	File    string `json:"file"`    // as the operator knows it
	Line    int    `json:"line"`
	Mine    bool   `json:"override"`
}

// Lines are all lines that set something, in the order in which Dovecot reads
// them: of two with the same name the later one is in force.
func (t Texts) Lines() []Line {
	var lines []Line
	for _, s := range t.statements() {
		if s.sets() {
			lines = append(lines, Line{FullName(s.path()), s.raw, s.text.Origin, s.last, s.text.Mine})
		}
	}
	return lines
}

var instance = regexp.MustCompile(`/#\d+`)

// FullName takes a setting as people write it: service imap-login process_limit,
// or with slashes.
func FullName(words ...string) string {
	name := strings.Join(strings.Fields(strings.Join(words, " ")), "/")
	return instance.ReplaceAllString(name, "")
}

// Scope says where a setting holds.
func Scope(setting string) string {
	parts := strings.Split(setting, "/")
	switch {
	case len(parts) < 2:
		return "everywhere, unless a section says otherwise"
	case parts[0] == "protocol" && len(parts) == 3:
		return "in " + parts[1] + " sessions"
	}
	return "in " + strings.Join(parts[:len(parts)-1], " ")
}

// Value asks Dovecot what a setting comes to in the configuration main; ok is
// false where it does not say, which 2.4 does for some defaults.
func (d *Dovecot) Value(ctx context.Context, main, setting string) (value string, ok bool, err error) {
	args, name := []string{"-c", main}, setting
	if filter, inner, isFilter := protocolFilter(setting); isFilter {
		args, name = append(args, "-f", "protocol="+filter), inner
	}
	out, err := d.output(ctx, exec.Command(d.doveconf, append(args, name)...))
	if err != nil {
		return "", false, fmt.Errorf("reading the effective configuration: %w", err)
	}
	value, ok = parseSettings(string(out))[name]
	return value, ok, nil
}

// protocolFilter takes protocol/imap/mail_plugins apart.
func protocolFilter(setting string) (protocol, name string, ok bool) {
	rest, ok := strings.CutPrefix(setting, "protocol/")
	protocol, name, inside := strings.Cut(rest, "/")
	return protocol, name, ok && inside
}

// Default is what a setting is where nothing sets it.
func (d *Dovecot) Default(ctx context.Context, setting string) (value string, ok bool) {
	defaults, err := d.defaults(ctx)
	if err != nil {
		return "", false
	}
	parts := strings.Split(setting, "/")
	for _, name := range []string{setting, parts[0] + "_" + parts[len(parts)-1], parts[len(parts)-1]} {
		if value, ok = defaults[name]; ok {
			return value, true
		}
	}
	return "", false
}

// Suggest says what a setting that nothing sets and that has no default was
// probably meant to be.
func (d *Dovecot) Suggest(ctx context.Context, setting string) string {
	defaults, err := d.defaults(ctx)
	if err != nil {
		return ""
	}
	parts := strings.Split(setting, "/")
	section := ""
	if len(parts) > 1 {
		section = parts[max(0, len(parts)-3)]
	}
	if hint := otherDialect(section, parts[len(parts)-1], d.Dialect); hint != "" {
		return hint
	}
	return suggestion(defaults, section, parts[len(parts)-1])
}
