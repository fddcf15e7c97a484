package candidate

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pidgeon/finding"
	"pidgeon/lazyregexp"
	"pidgeon/mount"
	"pidgeon/settings"
)

const (
	scriptsDir = "sieve/"
	compiled   = ".svbin" // is the suffix of a compiled script
)

// scriptComplaint is how sievec words what is wrong with a script.
var scriptComplaint = lazyregexp.New(`(?m)^[^:\n]*: (?:line (\d+): )?(error|warning): (.*)$`)

// compile has sievec compile the scripts of a staged candidate, because processes that
// deliver mail cannot write there.
func (h Host) compile(ctx context.Context, c Candidate) (finding.List, error) {
	var found finding.List
	for _, f := range c.Files {
		script := filepath.Join(c.Dir, f.Name)
		if path.Ext(f.Name) != ".sieve" {
			continue
		}
		// The compiled script has to be at least a second younger.
		if err := os.Chtimes(script, time.Time{}, time.Unix(1, 0)); err != nil {
			return found, err
		}
		said, err := h.Dovecot.CompileScript(ctx, c.main(), script, strings.TrimSuffix(script, ".sieve")+compiled)
		more := scriptFindings(f.Origin, said)
		if found = append(found, more...); len(more.Faults()) > 0 {
			continue
		}
		if err == nil {
			err = os.Chmod(strings.TrimSuffix(script, ".sieve")+compiled, 0o644)
		}
		if err != nil {
			return found, fmt.Errorf("compiling %s: %s: %w", f.Origin, strings.TrimSpace(said), err)
		}
	}
	return found, nil
}

// compileNamed warns of faulty scripts that overrides name. Dovecot reads them where they
// are, and delivers without them.
func (h Host) compileNamed(ctx context.Context, c Candidate) (found finding.List) {
	tried := map[string]bool{}
	for _, named := range c.Lint.SieveScripts() {
		warn := func(problem, hint string) {
			found = append(found, named.Blame(finding.Warn(finding.ScriptError, named.Path, problem, hint)))
		}
		scripts := []string{named.Path}
		info, err := os.Stat(named.Path)
		if err == nil && info.IsDir() {
			scripts, err = filepath.Glob(filepath.Join(named.Path, "*.sieve"))
		}
		if err != nil {
			warn("is not there: no mail passes it", "put the script there, or leave the line out")
			continue
		}
		for _, script := range scripts {
			if info, err := os.Stat(script); err != nil || !info.Mode().IsRegular() || info.Size() > maxReferenced || tried[script] {
				continue
			}
			tried[script] = true
			out := filepath.Join(c.Dir, "named"+compiled)
			said, err := h.Dovecot.CompileScript(ctx, c.main(), script, out)
			os.Remove(out)
			more := scriptFindings(script, said)
			for i := range more {
				more[i].Warning = true
			}
			if found = append(found, more...); err != nil && more == nil && ctx.Err() == nil {
				warn("cannot be compiled: "+cmp.Or(strings.TrimSpace(said), err.Error()), "see sievec "+script)
			}
		}
	}
	return found
}

func scriptFindings(file, said string) (found finding.List) {
	for _, m := range scriptComplaint.FindAllStringSubmatch(said, -1) {
		if m[1] == "" && len(found) > 0 { // that the whole has failed
			continue
		}
		line, _ := strconv.Atoi(m[1])
		found = append(found, finding.Finding{
			Code: finding.ScriptError, File: file, Line: line, Problem: strings.TrimSuffix(m[3], "."), Hint: "correct the line", Warning: m[2] == "warning",
		})
	}
	return found
}

// readScripts reads the scripts of a directory that a variable names.
func (in *Sources) readScripts(when string, dir settings.Path) {
	if dir == "" {
		return
	}
	tree, err := mount.ReadScripts(string(dir))
	in.noteReading(tree, err)
	for _, f := range tree.Conf {
		f.Name = scriptsDir + when + "/" + f.Name
		in.Scripts = append(in.Scripts, f)
	}
}

// findPrograms checks the programs of SPAM_LEARN_DIR, because Dovecot looks for them only
// when a user moves mail.
func (in *Sources) findPrograms(dir settings.Path) {
	if dir == "" {
		return
	}
	for _, name := range []string{"spam", "ham"} {
		path := filepath.Join(string(dir), name)
		if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			in.Faults = append(in.Faults, finding.Finding{
				Code: finding.MissingExecutable, File: path, Problem: "SPAM_LEARN_DIR needs a program there, and none can be executed",
				Hint: "put one there that reads mail from its standard input, and chmod +x it",
			})
		}
	}
}
