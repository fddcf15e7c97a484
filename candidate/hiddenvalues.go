package candidate

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"pidgeon/finding"
	"pidgeon/settings"
)

const (
	// shortestHidden is the length of the shortest value that is looked for: shorter ones
	// are parts of many words, and no secrets.
	shortestHidden = 4
	// largestSecret is the size of the largest secret that is looked for where no file of the
	// operator's names it: 50,000 USERS would take seconds.
	largestSecret = 16 << 10
)

// hiddenValue matches a line of the value of a variable.
type hiddenValue struct {
	*regexp.Regexp
	name string
}

// hiddenValues are those of secrets, and of variables that are not pidgeon's and that files of
// the operator's name: Dovecot complains of settings with their values, which the log, the
// status and CI show.
func (in Sources) hiddenValues() (hidden []hiddenValue) {
	secret := map[string]bool{}
	for _, v := range settings.Variables() {
		secret[v.Name] = v.Secret
	}
	for name, value := range in.Settings.Environ {
		isSecret, ours := secret[name]
		if ours && !isSecret || !(isSecret && len(value) <= largestSecret) && !in.names(name) {
			continue
		}
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= shortestHidden {
				hidden = append(hidden, hiddenValue{regexp.MustCompile("(?i)" + regexp.QuoteMeta(line)), name})
			}
		}
	}
	// The longest first, because one may be a part of another.
	slices.SortFunc(hidden, func(a, b hiddenValue) int { return len(b.String()) - len(a.String()) })
	return hidden
}

// names reports whether a file of the operator's has this word.
func (in Sources) names(word string) bool {
	for _, f := range in.written() {
		if bytes.Contains(f.Data, []byte(word)) {
			return true
		}
	}
	return false
}

// hide replaces values by the names of their variables.
func hide(found finding.List, hidden []hiddenValue) finding.List {
	found = slices.Clone(found)
	for i := range found {
		for _, text := range []*string{&found[i].Problem, &found[i].Hint} {
			for _, h := range hidden {
				*text = h.ReplaceAllLiteralString(*text, "(the value of "+h.name+")")
			}
		}
	}
	return found
}
