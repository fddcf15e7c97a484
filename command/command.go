// Package command has all commands of the program except run. Each judges the sources in the
// foreground, or asks the running pidgeon, and prints the result.
package command

import (
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/lifecycle"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/supervise"
)

// Exit codes: the first two of sysexits(3), the others as a shell has them.
const (
	ExitUsage  = 64
	ExitConfig = lifecycle.ExitConfig

	exitInterrupted = 130
	exitNotFound    = 127
)

// Help is the text of pidgeon help.
//
//go:embed help.txt
var Help string

// Call is one invocation of the program.
type Call struct {
	Name           string
	Args           []string
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Templates      fs.FS  // templates/DIALECT/NAME
	Version        string // pidgeon's
}

// failure ends a command with an exit code of its own; any other error ends it with
// ExitConfig.
type failure struct {
	code int
	text string // empty if it was printed already
}

func (f failure) Error() string { return f.text }

func misuse(complaint string) error {
	return failure{ExitUsage, "pidgeon: " + complaint + "\nTry pidgeon --help."}
}

// Usage prints a complaint about the arguments and returns ExitUsage.
func (c Call) Usage(complaint string) int { return c.exit(misuse(complaint)) }

func (c Call) flags() *flag.FlagSet { return flag.NewFlagSet(c.Name, flag.ContinueOnError) }

func (c Call) run(flags *flag.FlagSet, work func() error) int {
	flags.SetOutput(io.Discard)
	err := flags.Parse(c.Args)
	switch {
	case err != nil:
		return c.Usage(c.Name + ": " + err.Error())
	case flags.NArg() > 0:
		return c.Usage(c.Name + " does not take " + flags.Arg(0))
	}
	return c.exit(work())
}

// exit prints an error and returns its exit code.
func (c Call) exit(err error) int {
	if err == nil {
		return 0
	}
	if f, ok := errors.AsType[failure](err); ok {
		if f.text != "" {
			fmt.Fprintln(c.Stderr, f.text)
		}
		return f.code
	}
	for _, sentence := range finding.Of(err).Sentences() {
		fmt.Fprintln(c.Stderr, "error:", sentence)
	}
	return ExitConfig
}

//go:embed words
var words embed.FS

// print writes a document as JSON, or by the template words/NAME.tmpl.
func (c Call) print(asJSON bool, document any, name string) error {
	if !asJSON {
		return template.Must(template.ParseFS(words, "words/"+name+".tmpl")).Execute(c.Stdout, document)
	}
	out := json.NewEncoder(c.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(document)
}

// NewLogger logs as the settings ask for it.
func NewLogger(s settings.Settings, to io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // a wrong one is a fault already
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: asText}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// asText logs durations and errors as texts, which slog's JSON has as numbers and objects.
func asText(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case time.Duration:
		a.Value = slog.StringValue(v.String())
	case error:
		a.Value = slog.StringValue(v.Error())
	}
	return a
}

// LogUnusable logs why the configuration cannot be used, and returns the exit code.
func LogUnusable(log *slog.Logger, err error) int {
	for _, sentence := range finding.Of(err).Sentences() {
		log.Error("configuration cannot be used", "reason", sentence)
	}
	return ExitConfig
}

// RunOtherCommand runs another program with pidgeon as PID 1.
func RunOtherCommand(c Call, ours []string) int {
	if strings.HasPrefix(c.Name, "-") {
		return c.Usage("unknown option " + c.Name)
	}
	cmd := exec.Command(c.Name, c.Args...)
	if near := strings.Join(finding.Nearest(c.Name, ours, 2), " or "); near != "" && errors.Is(cmd.Err, exec.ErrNotFound) {
		return c.exit(failure{exitNotFound, fmt.Sprintf("pidgeon: %s is neither a command of pidgeon nor a program in PATH: did you mean %s?", c.Name, near)})
	}
	signals := make(chan os.Signal, 16)
	supervise.NotifyAll(signals)
	s, err := settings.Load(c.Environ)
	log := NewLogger(s, &supervise.Stderr{})
	if err != nil { // a shell is how one finds out what is wrong
		s.StopGrace = settings.Grace(8 * time.Second)
	}
	if filepath.Base(c.Name) == "dovecot" && slices.Contains(c.Args, "-F") {
		log.Warn("Dovecot runs unchecked", "cure", "give it no arguments but -F and -c FILE")
	}
	children, err := supervise.New(log)
	if err != nil {
		return LogUnusable(log, err)
	}
	defer children.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = withConfigFile(c.Environ, string(s.RunDir))
	return children.Foreground(cmd, signals, time.Duration(s.StopGrace))
}

// withConfigFile sets CONFIG_FILE, by which Dovecot's tools find the running configuration
// (2.3.19, 2.4.1: lib-master/master-service.c), unless it is set. Where this user may not
// read that one, they say so; of Debian's own they would say that Dovecot does not run.
func withConfigFile(environ []string, runDir string) []string {
	path := filepath.Join(publish.Current(runDir), config.Main)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return environ
	}
	return append([]string{"CONFIG_FILE=" + path}, environ...) // the last one counts
}
