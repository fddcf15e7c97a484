package dovecot

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"pidgeon/finding"
)

// SocketFaults finds sockets of a configuration that Dovecot must not make: it
// removes whatever stands in their place, a file of the operator's as well, and
// its master dies of a directory (2.3.19, 2.4.1). runDir is ours.
func (s Settings) SocketFaults(runDir string) finding.List {
	var found finding.List
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		path, ok := socketPath(name)
		if !ok || seen[path] {
			continue
		}
		seen[path] = true
		if problem := socketProblem(path, runDir); problem != "" {
			found = append(found, finding.Finding{Code: finding.CannotListen, Problem: problem, Hint: "name a path of its own, in a directory that exists"})
		}
	}
	return found
}

// WithSockets adds the sockets that overrides name: doveconf 2.3 keeps quiet about
// one whose section is empty.
func (s Settings) WithSockets(t Texts) Settings {
	all := maps.Clone(s)
	for _, st := range t.statements() {
		socket := st.kind == opening && (st.key == "unix_listener" || st.key == "fifo_listener")
		if socket && st.text.Mine && len(st.scope) > 0 && strings.HasPrefix(st.scope[0], "service ") {
			all[strings.ReplaceAll(st.scope[0], " ", "/")+"/"+st.key+"/"+st.value+"/"] = ""
		}
	}
	return all
}

func socketPath(name string) (string, bool) {
	if _, _, path, ok := absoluteSocket(name); ok {
		return path, true
	}
	for _, kind := range []string{"unix_listener", "fifo_listener"} {
		if _, after, found := strings.Cut(name, "/"+kind+"/"); found {
			return after[:max(0, strings.LastIndex(after, "/"))], true
		}
	}
	return "", false
}

func socketProblem(path, runDir string) string {
	if path == "master" {
		return "the socket master belongs to Dovecot's master"
	}
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	if path == runDir || strings.HasPrefix(path, runDir+"/") {
		return fmt.Sprintf("the socket %s lies in RUN_DIR, which is pidgeon's", path)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return fmt.Sprintf("the socket %s cannot be made: %v", path, err)
	case info.Mode().Type()&(fs.ModeSocket|fs.ModeNamedPipe) == 0:
		return fmt.Sprintf("the socket %s would take the place of a file or directory", path)
	}
	return ""
}
