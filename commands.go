package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"pidgeon/settings"
)

func newLogger(s settings.Settings) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // a wrong one is a fault already
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

func (c command) complain(err error) int {
	for _, sentence := range sentences(err) {
		fmt.Fprintln(c.stderr, "error:", sentence)
	}
	return exitConfig
}

// env prints the variables as they are set.
func (c command) env() int {
	if len(c.args) > 0 {
		return c.usage("env takes no arguments")
	}
	s, faults := settings.Load(c.environ)
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VARIABLE\tVALUE\tDEFAULT\tMEANING")
	for _, v := range settings.Variables() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.Name, shown(v, s.Environ[v.Name]), v.Default, v.Doc)
	}
	table.Flush()
	if faults != nil {
		return c.complain(faults)
	}
	return 0
}

func shown(v settings.Variable, value string) string {
	if v.Secret && value != "" {
		return "(set)"
	}
	return strings.ReplaceAll(value, "\n", " ")
}
