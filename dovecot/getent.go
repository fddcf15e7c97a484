package dovecot

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

const getent = "/usr/bin/getent"

// notFound tells whether getent ended because there is no such entry (getent(1)).
// From any other end nothing follows.
func notFound(err error) bool {
	var exit interface{ ExitCode() int }
	return errors.As(err, &exit) && exit.ExitCode() == 2
}

// Resolve asks for the addresses of a name the way Dovecot does. Where that cannot
// be asked, there are none, and no error.
func (d *Dovecot) Resolve(ctx context.Context, name string) ([]string, error) {
	out, err := d.output(ctx, exec.Command(getent, "ahosts", name))
	if errors.Is(err, errPatience) || notFound(err) {
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

// Lacks tells whether no such entry is in a database (passwd, group), looked for
// wherever Dovecot would.
func (d *Dovecot) Lacks(ctx context.Context, database, name string) bool {
	return notFound(d.Run(ctx, exec.Command(getent, database, name)))
}
