package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"pidgeon/finding"
	"pidgeon/mount"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// A template of the operator can loop for ever or fill the memory, and nothing in
// text/template stops it. PID 1 must survive that, so such templates are rendered
// in a process of their own first.
const (
	trialPatience = 5 * time.Second
	trialMemory   = 192 << 20 // bytes; rendering takes a few MiB
)

// trial renders in a process of its own what holds templates of the operator. The
// outcome does not matter here, only that there is one.
func (b builder) trial(ctx context.Context, tree mount.Tree) error {
	tried := templatesOf(tree)
	if len(tried) == 0 {
		return nil
	}
	input, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("trying templates: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, trialPatience)
	defer cancel()
	cmd := exec.Command("/proc/self/exe", trialCommand, b.dovecot.Dialect)
	cmd.Env, cmd.Stdin = b.environ, bytes.NewReader(input)
	if err := b.run(ctx, cmd); err != nil {
		if errors.Is(context.Cause(ctx), context.Canceled) {
			return err
		}
		return finding.List{{
			Code: finding.TemplateError, File: strings.Join(tried, ", "),
			Problem: fmt.Sprintf("rendering takes more than %v or %d MiB", trialPatience, trialMemory>>20),
			Hint:    "look for a loop that does not end, or that doubles a text",
		}}
	}
	return nil
}

// templatesOf are the paths of the operator's templates.
func templatesOf(tree mount.Tree) []string {
	var paths []string
	for _, f := range slices.Concat(tree.Conf, tree.Templates) {
		if strings.HasSuffix(f.Name, ".tmpl") || strings.HasPrefix(f.Name, mount.TemplatesDir+"/") {
			paths = append(paths, f.Origin)
		}
	}
	return paths
}

// trialCommand is what trial runs; it is not for people.
const trialCommand = "render-trial"

func (c command) trial(stdin io.Reader) int {
	limit := &syscall.Rlimit{Cur: trialMemory, Max: trialMemory}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, limit); err != nil || len(c.args) != 1 {
		return exitUsage
	}
	var in sources
	if err := json.NewDecoder(stdin).Decode(&in.tree); err != nil {
		return exitUsage
	}
	builtin, err := fs.Sub(templates, "templates/"+c.args[0])
	if err != nil {
		return exitUsage
	}
	b := builder{builtin: builtin}
	in.settings, _ = settings.Load(c.environ)
	_, _ = b.render(in, sizing.Size(in.settings.Ask(), sizing.Machine{CPUs: 1, Files: 1 << 20}), "/trial")
	return 0
}
