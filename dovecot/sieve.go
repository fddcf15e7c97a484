package dovecot

import (
	"context"
	"errors"
	"os/exec"
)

// CompileScript compiles a Sieve script with the extensions that the configuration conf
// turns on, beside the script, and returns what was said of it.
func (d *Dovecot) CompileScript(ctx context.Context, conf, script string) (said string, err error) {
	sievec, err := lookPath("sievec")
	if err != nil {
		return "", errors.New("looking for sievec: it is not installed: install dovecot-sieve")
	}
	_, said, err = d.ask(ctx, exec.Command(sievec, "-c", conf, script))
	return said, err
}
