package dovecot

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

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
// false where it does not say, as 2.4 does not for some defaults.
func (d *Dovecot) Value(ctx context.Context, main, setting string) (value string, ok bool, err error) {
	args, name := []string{"-c", main}, setting
	if filter, inner, isFilter := protocolFilter(setting); isFilter {
		args, name = append(args, "-f", "protocol="+filter), inner
	}
	out, err := d.output(ctx, exec.Command(d.Doveconf, append(args, name)...))
	if err != nil {
		return "", false, fmt.Errorf("reading the effective configuration: %w", err)
	}
	value, ok = ParseDump(string(out))[name]
	return value, ok, nil
}

// protocolFilter takes protocol/imap/mail_plugins apart.
func protocolFilter(setting string) (protocol, name string, ok bool) {
	rest, ok := strings.CutPrefix(setting, "protocol/")
	protocol, name, inside := strings.Cut(rest, "/")
	return protocol, name, ok && inside
}

// Default is the value of a setting that nothing sets.
func (d *Dovecot) Default(ctx context.Context, setting string) (value string, ok bool) {
	defaults, err := d.Defaults(ctx)
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
