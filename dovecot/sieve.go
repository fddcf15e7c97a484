package dovecot

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
)

// CompileScript compiles a Sieve script into a file, with the extensions of the configuration
// conf, and returns the messages of sievec. sievec loads the mail plugins, which can write
// (last_login; 2.3.19, 2.4.1).
func (d *Dovecot) CompileScript(ctx context.Context, conf, script, compiled string) (said string, err error) {
	sievec, err := lookPath("sievec")
	if err != nil {
		return "", errors.New("looking for sievec: it is not installed: install dovecot-sieve")
	}
	err = RunConfined(filepath.Dir(compiled), nil, func() error {
		_, said, err = d.ask(ctx, exec.Command(sievec, "-c", conf, script, compiled))
		return err
	})
	return said, err
}
