package dovecot

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
)

// CompileScript compiles a Sieve script with the extensions that the configuration conf
// turns on, beside the script, and returns what was said of it. It loads the plugins
// that mail has, and they write (last_login; 2.3.19, 2.4.1).
func (d *Dovecot) CompileScript(ctx context.Context, conf, script string) (said string, err error) {
	sievec, err := lookPath("sievec")
	if err != nil {
		return "", errors.New("looking for sievec: it is not installed: install dovecot-sieve")
	}
	err = Confined(filepath.Dir(script), nil, func() error {
		_, said, err = d.ask(ctx, exec.Command(sievec, "-c", conf, script))
		return err
	})
	return said, err
}
