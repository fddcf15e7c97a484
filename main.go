// Pidgeon is PID 1 for Dovecot in a container: it reads the environment, renders
// Dovecot's configuration together with what is mounted, runs Dovecot, and
// reloads it when something changes that is worth it.
package main

import (
	"embed"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"pidgeon/candidate"
	"pidgeon/command"
	"pidgeon/exporter"
)

//go:embed templates
var templates embed.FS

// version is set by the linker.
var version = "development"

// commands are all but those that main answers itself; the last two are not for people.
var commands = map[string]func(command.Call) int{
	"run":             runEntrypoint,
	"check":           command.Check,
	"explain":         command.Explain,
	"render":          command.Render,
	"plan":            command.Plan,
	"health":          command.Health,
	"status":          command.Status,
	"env":             command.Env,
	"upgrade":         command.Upgrade,
	candidate.Command: command.Judge,
	exporter.Command:  command.Export,
}

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)) }

func run(args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{"run"}
	}
	switch args[0] {
	case "version", "--version", "-v":
		fmt.Fprintln(stdout, "pidgeon", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, help)
		return 0
	}
	call := command.Call{
		Name: args[0], Args: args[1:], Environ: environ, Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Templates: templates, Version: version,
	}
	if own, ok := call.OwnConfiguration(); ok {
		return runEntrypoint(own)
	}
	if ours, ok := commands[call.Name]; ok {
		return ours(call)
	}
	ours := append(slices.Sorted(maps.Keys(commands)), "version", "help")
	return command.Foreign(call, slices.DeleteFunc(ours, func(name string) bool { return name == candidate.Command || name == exporter.Command }))
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
    --shards     which backend has which users, and what BACKENDS would move
  health         does the running one serve (for HEALTHCHECK and probes)
    --live       is it alive, whether it serves or not
  status         what the running one serves, holds and refused; --json
  upgrade [PATH] what becomes of the overrides, or a configuration, of 2.3 in 2.4
    -o DIR       write it to DIR
    --check      exit with 0 if it is for 2.4, 1 if it can be carried over whole, else 78
  env            list the variables, their values and defaults
  --version      print the version
  --help         print this

  dovecot -F [-c FILE]
                 run, with a Dovecot configuration of your own

Any other command is run under the same PID 1: docker run IMAGE doveadm …

Everything is set by environment variables (pidgeon env), each of which can come
from a file as NAME_FILE, and by what is mounted at /overrides: *.conf files are
included last and win, *.conf.tmpl files are rendered first, templates/NAME
replaces a built-in template.

Exit codes: Dovecot's own; 64 wrong usage, 78 the configuration cannot be used,
126 and 127 a command that cannot be run or is not there, 128+n ended by signal n.
`
