package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pidgeon/dovecot"
	"pidgeon/publish"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/supervise"
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

// workshop is what check and render need: everything but a running Dovecot.
type workshop struct {
	builder
	store   *publish.Store
	closing closers
}

func (c command) workshop() (*workshop, error) {
	s, faults := settings.Load(c.environ)
	if faults != nil {
		return nil, faults
	}
	w := &workshop{}
	children, err := supervise.New(newLogger(s))
	if err != nil {
		return nil, err
	}
	w.closing.add(children.Close)
	err = w.open(c.environ, s, children)
	if err != nil {
		w.closing.close()
	}
	return w, err
}

func (w *workshop) open(environ []string, s settings.Settings, children *supervise.Supervisor) (err error) {
	w.environ, w.run = environ, children.Run
	if w.dovecot, err = dovecot.Find(context.Background(), children.Run); err != nil {
		return err
	}
	if w.builtin, err = fs.Sub(templates, "templates/"+w.dovecot.Dialect); err != nil {
		return err
	}
	if w.identity, err = whoami(string(s.RunDir)); err != nil {
		return err
	}
	if w.machine, w.allowed, err = measure(s); err != nil {
		return err
	}
	w.bound = listening(string(s.RunDir))
	store, remove, err := tempStore(dovecotGroup(w.identity))
	if err != nil {
		return err
	}
	w.store, w.selfSigned, w.rehearsal = store, store.Dir, filepath.Join(store.Dir, "rehearsal")
	w.closing.add(remove)
	return nil
}

// candidate makes and checks one, as the entrypoint would.
func (w *workshop) candidate(ctx context.Context) (candidate, string, error) {
	in, err := w.read(ctx)
	if err != nil {
		return candidate{remarks: in.remarks}, "", err
	}
	if err := w.trial(ctx, in.tree); err != nil {
		return candidate{remarks: in.remarks}, "", err
	}
	c, err := w.build(in, w.store.Next())
	if err != nil {
		return c, "", err
	}
	dir, err := w.builder.check(ctx, w.store, in, &c)
	return c, dir, err
}

func (c command) complain(err error) int {
	for _, sentence := range sentences(err) {
		fmt.Fprintln(c.stderr, "error:", sentence)
	}
	return exitConfig
}

// render prints the configuration, writes it, or prints what overrides change.
func (c command) render() int {
	output, diff := "", false
	switch {
	case len(c.args) == 1 && c.args[0] == "--diff":
		diff = true
	case len(c.args) == 2 && c.args[0] == "--output":
		output = c.args[1]
	case len(c.args) > 0:
		return c.usage("render takes --diff, or --output DIR")
	}
	w, err := c.workshop()
	if err != nil {
		return c.complain(err)
	}
	defer w.closing.close()
	candidate, dir, err := w.candidate(context.Background())
	switch {
	case err != nil:
	case diff:
		err = c.printDiff(w, dir)
	case output != "":
		err = writeFiles(candidate.files.For(output), output)
	default:
		c.print(candidate.files)
	}
	if err != nil {
		return c.complain(err)
	}
	return 0
}

// print leaves out what nobody should find in a log: passwords and the key.
func (c command) print(files render.Files) {
	for _, f := range files {
		if filepath.Ext(f.Name) == ".conf" {
			fmt.Fprintf(c.stdout, "#### %s (%s)\n%s\n", f.Name, f.Origin, f.Data)
		}
	}
}

func writeFiles(files render.Files, dir string) error {
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
	}
	return nil
}

// printDiff compares what Dovecot understands with and without the overrides.
func (c command) printDiff(w *workshop, dir string) error {
	ctx := context.Background()
	in, err := w.read(ctx)
	if err != nil {
		return err
	}
	in.tree.Conf, in.tree.Templates = nil, nil
	plain, err := w.build(in, w.store.Next())
	if err != nil {
		return err
	}
	plainDir, err := w.builder.check(ctx, w.store, in, &plain)
	if err != nil {
		return err
	}
	before, err := w.dovecot.Dump(ctx, filepath.Join(plainDir, render.Main), false)
	if err != nil {
		return err
	}
	after, err := w.dovecot.Dump(ctx, filepath.Join(dir, render.Main), false)
	if err != nil {
		return err
	}
	c.printChanges(dovecot.ParseDump(strings.ReplaceAll(before, plainDir, "…")), dovecot.ParseDump(strings.ReplaceAll(after, dir, "…")))
	return nil
}

func (c command) printChanges(before, after dovecot.Settings) {
	names := map[string]bool{}
	for _, settings := range []dovecot.Settings{before, after} {
		for name := range settings {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := before[name]
		now, has := after[name]
		if old == now && had == has {
			continue
		}
		if had {
			fmt.Fprintf(c.stdout, "- %s = %s\n", name, old)
		}
		if has {
			fmt.Fprintf(c.stdout, "+ %s = %s\n", name, now)
		}
	}
}

// healthPatience is less than Docker's and Kubernetes' own timeouts.
const healthPatience = 4 * time.Second

// health asks the running entrypoint. It connects to no listener: a probe would
// take a place from a user, and fail when all places are taken.
func (c command) health() int {
	if len(c.args) > 0 {
		return c.usage("health takes no arguments")
	}
	s, faults := settings.Load(c.environ)
	if faults != nil {
		return c.complain(faults)
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	now, err := ask(ctx, string(s.RunDir))
	if err == nil && !now.Ready {
		err = errors.New("not ready: Dovecot does not serve yet")
	}
	if err == nil {
		err = missing(now.Listeners)
	}
	if err != nil {
		fmt.Fprintln(c.stderr, "unhealthy:", err)
		return 1
	}
	fmt.Fprintf(c.stdout, "healthy: generation %s, degraded: %t\n", now.Generation, now.Degraded)
	return 0
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
