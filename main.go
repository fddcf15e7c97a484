// Pidgeon is PID 1 for Dovecot in a container: it renders a configuration from the
// environment and the mounted overrides, runs Dovecot, and reloads it when a change of
// those alters the configuration.
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

// commands are all commands but version and help; the program calls the last two itself.
var commands = map[string]func(command.Call) int{
	"run":             runEntrypoint,
	"check":           command.Check,
	"explain":         command.Explain,
	"render":          command.Render,
	"plan":            command.Plan,
	"move":            command.Move,
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
	if _, ours := commands[args[0]]; ours && (slices.Contains(args, "--help") || slices.Contains(args, "-h")) {
		args = []string{"help"}
	}
	switch args[0] {
	case "version", "--version", "-v":
		fmt.Fprintln(stdout, "pidgeon", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, command.Help)
		return 0
	}
	call := command.Call{
		Name: args[0], Args: args[1:], Environ: environ, Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Templates: templates, Version: version,
	}
	if own, ok := call.DovecotForeground(); ok {
		return runEntrypoint(own)
	}
	if ours, ok := commands[call.Name]; ok {
		return ours(call)
	}
	ours := append(slices.Sorted(maps.Keys(commands)), "version", "help")
	return command.RunOtherCommand(call, slices.DeleteFunc(ours, func(name string) bool { return name == candidate.Command || name == exporter.Command }))
}
