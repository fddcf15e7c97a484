package dovecot

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Resolve asks for the addresses of a name the way Dovecot does. Where that cannot
// be asked, there are none, and no error.
func (d *Dovecot) Resolve(ctx context.Context, name string) ([]string, error) {
	out, err := d.output(ctx, exec.Command("/usr/bin/getent", "ahosts", name))
	var exit interface{ ExitCode() int }
	if errors.Is(err, errPatience) || errors.As(err, &exit) && exit.ExitCode() == 2 {
		return nil, fmt.Errorf("resolving %s: %w", name, err)
	}
	var addresses []string
	for line := range strings.Lines(string(out)) {
		if address, _, _ := strings.Cut(line, " "); !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}
