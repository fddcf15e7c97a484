// Pidgeon is PID 1 for Dovecot in a container: it reads the environment, renders
// Dovecot's configuration together with what is mounted, runs Dovecot, and
// reloads it when something changes that is worth it.
package main

import (
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"pidgeon/settings"
	"pidgeon/supervise"
)

//go:embed templates
var templates embed.FS

// version is set by the linker.
var version = "development"

// exitUsage is EX_USAGE of sysexits(3).
const exitUsage = 64

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

func run(args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{"run"}
	}
	c := command{args[0], args[1:], environ, stdout, stderr}
	switch c.name {
	case "run":
		if len(c.args) > 0 {
			return c.usage("run takes no arguments")
		}
		return runEntrypoint(environ, templates)
	case "check":
		return c.check()
	case "explain":
		return c.explain()
	case "render":
		return c.render()
	case "health":
		return c.health()
	case "plan":
		return c.plan()
	case "status":
		return c.status()
	case "env":
		return c.env()
	case trialCommand:
		return c.trial(os.Stdin)
	case accessCommand:
		return c.mayWrite()
	case "version", "--version", "-v":
		fmt.Fprintln(stdout, "pidgeon", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, help)
		return 0
	}
	return c.foreign()
}

const help = `pidgeon is PID 1 for Dovecot in a container.

Usage: pidgeon [command]

  run            render, check and start; follow changes; the default
  check          check settings, overrides and the configuration they make
    --json       print the findings as an array
  explain NAME   what a setting or a variable is, and which line set it
    --json       the same as JSON
  render         print the configuration
    --diff       print what the overrides change in what Dovecot runs with
    --output DIR write it to DIR
  plan           what the sessions asked for take, and what this container holds
  health         does the running one serve (for HEALTHCHECK and probes)
    --live       is it alive, whether it serves or not
  status         what the running one serves, holds and refused; --json
  env            list the variables, their values and defaults
  --version      print the version
  --help         print this

Any other command is run under the same PID 1: docker run IMAGE doveadm …

Everything is set by environment variables (pidgeon env), each of which can come
from a file as NAME_FILE, and by what is mounted at /overrides: *.conf files are
included last and win, *.conf.tmpl files are rendered first, templates/NAME
replaces a built-in template.

Exit codes: Dovecot's own; 64 wrong usage, 78 the configuration cannot be used,
126 and 127 a command that cannot be run or is not there, 128+n ended by signal n.
`

// command is one invocation of the program.
type command struct {
	name           string
	args           []string
	environ        []string
	stdout, stderr io.Writer
}

func (c command) usage(complaint string) int {
	fmt.Fprintf(c.stderr, "pidgeon: %s\nTry pidgeon --help.\n", complaint)
	return exitUsage
}

// foreign runs a command that is none of ours as PID 1's child.
func (c command) foreign() int {
	if strings.HasPrefix(c.name, "-") {
		return c.usage("unknown option " + c.name)
	}
	signals := make(chan os.Signal, 16)
	defer supervise.Notify(signals)()
	s, faults := settings.Load(c.environ)
	log := newLogger(s)
	if faults != nil { // a shell is how one finds out what is wrong
		s.StopGrace = settings.Grace(8 * time.Second)
	}
	children, err := supervise.New(log)
	if err != nil {
		return unusable(log, err)
	}
	defer children.Close()
	cmd := exec.Command(c.name, c.args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return children.Foreground(cmd, signals, time.Duration(s.StopGrace))
}
