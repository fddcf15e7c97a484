package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"pidgeon/finding"
	"pidgeon/sizing"
)

// maxSecret bounds what is read for NAME_FILE, in bytes: a list of 10,000 users
// with strong hashes takes about 1.5 MiB.
const maxSecret = 16 << 20

// Load reads the settings from environ ("NAME=value", as os.Environ gives it).
// The error is a finding.List: everything that is wrong, in the order of the table.
func Load(environ []string) (Settings, error) {
	s := Settings{Environ: environment(environ)}
	s.dropServiceLinks()
	faults := s.readFiles()
	faults = append(faults, misspelt(s.Environ)...)
	faults = append(faults, s.parse()...)
	faults = append(faults, s.contradictions(faults)...)
	if len(faults) > 0 {
		return s, sorted(faults)
	}
	return s, nil
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
	for _, v := range Variables() {
		if strings.HasSuffix(v.Name, "_PORT") && serviceLink(s.Environ[v.Name]) {
			s.Notes = append(s.Notes, fmt.Sprintf("%s=%s is a Kubernetes service link and is ignored: set enableServiceLinks: false in the pod", v.Name, s.Environ[v.Name]))
			delete(s.Environ, v.Name)
		}
	}
}

func serviceLink(value string) bool {
	return strings.HasPrefix(value, "tcp://") || strings.HasPrefix(value, "udp://")
}

// readFiles takes each variable from the file that NAME_FILE names.
func (s *Settings) readFiles() finding.List {
	var faults finding.List
	for _, v := range Variables() {
		path, ok := s.Environ[v.Name+"_FILE"]
		if !ok {
			continue
		}
		if _, both := s.Environ[v.Name]; both {
			faults = append(faults, valueFault(v, "", "is set, and so is "+v.Name+"_FILE", "unset one of them"))
			continue
		}
		s.Files = append(s.Files, path)
		value, err := readSecret(path)
		if err != nil {
			faults = append(faults, fault(v.Name+"_FILE", err.Error(), "name a readable file"))
			continue
		}
		if value != "" {
			s.Environ[v.Name] = value
		}
	}
	return faults
}

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", path, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() { // a FIFO would be waited for
		return "", fmt.Errorf("reading %q: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", path, errors.Unwrap(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", path, err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("reading %q: larger than %d MiB", path, maxSecret>>20)
	}
	return strings.TrimSuffix(string(data), "\n"), nil
}

func (s *Settings) parse() finding.List {
	var faults finding.List
	err := env.ParseWithOptions(s, env.Options{
		Environment: s.Environ,
		FuncMap: map[reflect.Type]env.ParserFunc{
			reflect.TypeFor[sizing.Mode](): func(v string) (any, error) { return parseMode(v) },
		},
	})
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, err := range all.Errors {
			var wrong env.ParseError
			if errors.As(err, &wrong) {
				v := byField(wrong.Name)
				faults = append(faults, valueFault(v, s.Environ[v.Name], wrong.Err.Error(), ""))
			}
		}
	}
	for _, v := range Variables() {
		if value := reflect.ValueOf(*s).FieldByName(v.field); len(v.choices) > 0 && !slices.Contains(v.choices, value.String()) {
			faults = append(faults, valueFault(v, s.Environ[v.Name], "is none of "+strings.Join(v.choices, ", "), ""))
		}
	}
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

func parseMode(value string) (sizing.Mode, error) {
	switch m := sizing.Mode(value); m {
	case sizing.Auto, sizing.Secure, sizing.Performance:
		return m, nil
	}
	return "", errors.New("is none of auto, secure, performance")
}

// contradictions finds values that are fine alone and not together. Variables
// that are at fault already are not compared.
func (s Settings) contradictions(faults finding.List) finding.List {
	var found finding.List
	if s.Protocols.Has("submission") && s.RelayHost == "" {
		found = append(found, fault("RELAY_HOST", "is not set, and submission is on", "name the host that takes the mail, or take submission out of PROTOCOLS"))
	}
	return append(found, s.portsTwice(faults)...)
}

func (s Settings) portsTwice(faults finding.List) finding.List {
	wrong := map[string]bool{}
	for _, f := range faults {
		wrong[blamed(f)] = true
	}
	var found finding.List
	owner := map[int64]string{}
	for _, v := range Variables() {
		if !s.listens(v.listener) || wrong[v.Name] {
			continue
		}
		port := reflect.ValueOf(s).FieldByName(v.field).Int()
		if other := owner[port]; port != 0 && other != "" {
			found = append(found, fault(v.Name, fmt.Sprintf("is %d, and so is %s", port, other), "give each listener its own port, or 0 to turn it off"))
		}
		owner[port] = v.Name
	}
	return found
}

// listens reports whether there are listeners for a protocol, or for the metrics.
func (s Settings) listens(protocol string) bool {
	return s.Protocols.Has(protocol) || protocol == "metrics"
}
