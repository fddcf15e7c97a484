package dovecot

import (
	"fmt"
	"maps"
	"slices"

	"pidgeon/finding"
)

// LimitSettings are the names of the settings that bound a service. One of the
// last two exists: service_count in 2.3, restart_request_count in 2.4.
func LimitSettings(service string) []string {
	prefix := "service/" + service + "/"
	return []string{
		prefix + "process_limit", prefix + "client_limit",
		prefix + "service_count", prefix + "restart_request_count",
	}
}

// unlimited is how sizes say that a process is never replaced.
const unlimited = -1

// Limits returns the limits of a service: how many processes, clients of each,
// and clients until a process is replaced (-1: never).
func (s Settings) Limits(service string) (processes, clients, requests int, ok bool) {
	prefix := "service/" + service + "/"
	processes, ok = s.orDefault(prefix+"process_limit", "default_process_limit")
	clients, ok2 := s.orDefault(prefix+"client_limit", "default_client_limit")
	return processes, clients, s.requests(prefix), ok && ok2
}

// orDefault resolves 0, which in 2.3 stands for the default.
func (s Settings) orDefault(name, fallback string) (int, bool) {
	if n, ok := s.Int(name); ok && n != 0 {
		return n, true
	}
	if s[name] == "unlimited" {
		return 1 << 20, true
	}
	return s.Int(fallback)
}

func (s Settings) requests(prefix string) int {
	n, ok := s.Int(prefix + "service_count")
	if !ok {
		n, ok = s.Int(prefix + "restart_request_count")
	}
	if !ok || n == 0 {
		return unlimited
	}
	return n
}

// Unset finds owned settings that nothing sets, which takes a template of the
// operator's in the place of pidgeon's own.
func (s Settings) Unset(owned map[string]string) finding.List {
	var found finding.List
	for _, name := range slices.Sorted(maps.Keys(owned)) {
		if s[name] != owned[name] {
			found = append(found, finding.Finding{
				Code:    finding.OwnedSetting,
				Problem: fmt.Sprintf("%s is %q, and pidgeon needs it to be %q", name, s[name], owned[name]),
				Hint:    "set it in the template that you have replaced",
			})
		}
	}
	return found
}
