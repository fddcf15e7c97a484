package command

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/dovecot"
)

// DovecotForeground takes a command that runs Dovecot in the foreground, with any path to
// the program, for the wish to have its configuration run; ok is false for all others.
func (c Call) DovecotForeground() (run Call, ok bool) {
	flags, conf := c.flags(), ""
	foreground := flags.Bool("F", false, "")
	flags.StringVar(&conf, "c", "", "")
	flags.SetOutput(io.Discard)
	if filepath.Base(c.Name) != "dovecot" || flags.Parse(c.Args) != nil || !*foreground || flags.NArg() > 0 {
		return c, false
	}
	if dir := filepath.Dir(c.Name); filepath.IsAbs(dir) { // and its doveconf lies near it
		path := strings.Join([]string{dir, filepath.Join(dir, "../bin"), os.Getenv("PATH")}, ":")
		_ = os.Setenv("PATH", path)
		c.Environ = append(slices.Clone(c.Environ), "PATH="+path)
	}
	if conf == "" {
		conf = dovecot.DefaultConfiguration()
	}
	if abs, err := filepath.Abs(conf); err == nil {
		conf = abs
	}
	c.Name, c.Args, c.Environ = "run", nil, append(slices.Clone(c.Environ), "DOVECOT_CONF="+conf)
	return c, true
}
