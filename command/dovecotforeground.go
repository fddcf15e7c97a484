package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/dovecot"
)

// DovecotForeground turns the command dovecot -F, with any path to the program, into run with
// DOVECOT_CONF; ok is false for all other commands.
func (c Call) DovecotForeground() (run Call, ok bool) {
	conf, ok := foregroundArguments(c.Args)
	if !ok || filepath.Base(c.Name) != "dovecot" {
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

// foregroundArguments reads the arguments of dovecot as getopt does, so also -Fc FILE and
// -cFILE; ok is false if there are others than -F and -c.
func foregroundArguments(args []string) (conf string, ok bool) {
	for len(args) > 0 {
		options, isOption := strings.CutPrefix(args[0], "-")
		if args = args[1:]; !isOption || options == "" {
			return "", false
		}
		for options != "" {
			option := options[0]
			switch options = options[1:]; option {
			case 'F':
				ok = true
			case 'c':
				if options == "" && len(args) > 0 {
					options, args = args[0], args[1:]
				}
				if conf, options = options, ""; conf == "" {
					return "", false
				}
			default:
				return "", false
			}
		}
	}
	return conf, ok
}
