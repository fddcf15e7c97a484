package settings

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"pidgeon/config"
	"pidgeon/finding"
)

// maxSecret bounds what is read for NAME_FILE, in bytes: a list of 10,000 users
// with strong hashes takes about 1.5 MiB.
const maxSecret = 16 << 20

// Load reads the settings from environ ("NAME=value", as os.Environ gives it).
// The error is a finding.List: everything that is wrong, in the order of the table.
func Load(environ []string) (Settings, error) { return Reload(environ, nil, Settings{}) }

// Reload is Load in a running container. started has the values of the fixed variables at
// its start, see [Settings.FixedValues]; a different value in a file is a note. If all values
// are those of before, Reload returns before, because parsing 50,000 USERS takes 0.1 s.
func Reload(environ []string, started map[string]string, before Settings) (Settings, error) {
	s := Settings{Environ: environment(environ)}
	s.dropServiceLinks()
	faults := s.readFiles()
	s.keepFixed(started)
	if len(faults) == 0 && before.Environ != nil && maps.Equal(s.Environ, before.Environ) {
		return before, nil
	}
	faults = append(faults, misspelt(s.Environ)...)
	faults = append(faults, s.parse()...)
	faults = append(faults, s.contradictions(faults)...)
	s.noteUnused()
	if len(faults) > 0 {
		return s, sorted(faults)
	}
	return s, nil
}

// FixedValues are the values of the fixed variables, for Reload.
func (s Settings) FixedValues() map[string]string {
	fixed := map[string]string{}
	for _, v := range table() {
		if v.Fixed {
			fixed[v.Name] = s.Environ[v.Name]
		}
	}
	return fixed
}

func (s *Settings) keepFixed(started map[string]string) {
	for _, v := range table() {
		value, fixed := started[v.Name]
		if !fixed || value == s.Environ[v.Name] {
			continue
		}
		if s.IsSet(v.Name + "_FILE") {
			s.Notes = append(s.Notes, v.Name+"_FILE has another value than at the start: it takes effect at the next start")
		}
		if s.Environ[v.Name] = value; value == "" {
			delete(s.Environ, v.Name)
		}
	}
}

// effectiveEnviron is the environment without variables that the operator's configuration
// replaces.
func (s *Settings) effectiveEnviron() map[string]string {
	used := maps.Clone(s.Environ)
	var idle []string
	for _, v := range table() {
		if !v.always && s.IsSet("DOVECOT_CONF") && s.IsSet(v.Name) {
			idle = append(idle, v.Name)
			delete(used, v.Name)
		}
	}
	if len(idle) > 0 {
		s.Notes = append(s.Notes, "without effect with DOVECOT_CONF: "+strings.Join(idle, ", ")+": write that into the configuration, or into an override")
	}
	return used
}

// environment drops empty values: Compose passes them for unset variables, so
// they mean the default.
func environment(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" && value != "" {
			m[name] = value
		}
	}
	return m
}

// dropServiceLinks takes out what Kubernetes injects for a Service that is named
// like one of our protocols: IMAP_PORT=tcp://10.0.0.1:143.
func (s *Settings) dropServiceLinks() {
	for _, v := range table() {
		if strings.HasSuffix(v.Name, "_PORT") && serviceLink(s.Environ[v.Name]) {
			s.Notes = append(s.Notes, fmt.Sprintf("%s=%s is a Kubernetes service link and is ignored: set enableServiceLinks: false in the pod", v.Name, s.Environ[v.Name]))
			delete(s.Environ, v.Name)
		}
	}
}

func serviceLink(value string) bool {
	return strings.HasPrefix(value, "tcp://") || strings.HasPrefix(value, "udp://")
}

func (s *Settings) readFiles() (faults finding.List) {
	for _, v := range table() {
		path, ok := s.Environ[v.Name+"_FILE"]
		if !ok {
			continue
		}
		if _, both := s.Environ[v.Name]; both {
			faults = append(faults, valueFault(v, "", "is set, and so is "+v.Name+"_FILE", "unset one of them"))
			continue
		}
		s.Files = append(s.Files, path)
		data, err := config.ReadRegular(path, maxSecret)
		if err != nil {
			problem := fmt.Sprintf("reading %q: %v", path, cmp.Or(errors.Unwrap(err), err))
			faults = append(faults, fault(v.Name+"_FILE", problem, "name a readable file"))
		} else if value := strings.TrimSuffix(string(data), "\n"); value != "" {
			s.Environ[v.Name] = value
		}
	}
	return faults
}

func (s *Settings) parse() (faults finding.List) {
	err := env.ParseWithOptions(s, env.Options{Environment: s.effectiveEnviron()})
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		for _, err := range all.Errors {
			if wrong, ok := errors.AsType[env.ParseError](err); ok {
				v, _ := Field(wrong.Name)
				faults = append(faults, valueFault(v, s.Environ[v.Name], wrong.Err.Error(), ""))
			}
		}
	}
	for _, v := range table() {
		if value := reflect.ValueOf(*s).FieldByName(v.field); len(v.Choices) > 0 && !slices.Contains(v.Choices, value.String()) {
			faults = append(faults, valueFault(v, s.Environ[v.Name], "is none of "+strings.Join(v.Choices, ", "), ""))
		}
	}
	s.readBackendsName()
	if s.Hostname == "" {
		s.Hostname = containerName()
	}
	return faults
}

// containerName falls back to a valid name: a container may be called anything.
func containerName() Host {
	var host Host
	name, err := os.Hostname()
	if err != nil || host.UnmarshalText([]byte(name)) != nil {
		return "localhost"
	}
	return host
}
