package dovecot

import (
	"maps"
	"slices"
	"strings"
)

// listeners are the TCP listeners of the protocols, by service and name.
var listeners = [...][2]string{
	{"imap-login", "imap"},
	{"imap-login", "imaps"},
	{"pop3-login", "pop3"},
	{"pop3-login", "pop3s"},
	{"lmtp", "lmtp"},
	{"managesieve-login", "sieve"},
	{"submission-login", "submission"},
	{"submission-login", "submissions"},
}

// PortSettings are the names of the settings that hold the listeners' ports.
func PortSettings() []string {
	var names []string
	for _, l := range listeners {
		names = append(names, portSetting(l))
	}
	return names
}

func protocolOf(l [2]string) string { return strings.TrimSuffix(l[1], "s") }

func portSetting(l [2]string) string {
	return listenerSetting(l, "port")
}

// Listener is a TCP socket that a configuration asks for.
type Listener struct {
	Name      string
	Protocol  string
	Port      int
	Addresses []string // IP addresses; * is all of IPv4
	TLS       bool     // from the first byte on
	HAProxy   bool     // a proxy that speaks HAProxy's protocol comes first
}

// Listeners are all TCP sockets of the configuration, those of overrides
// included.
func (s Settings) Listeners() []Listener {
	var all []Listener
	for _, name := range slices.Sorted(maps.Keys(s)) {
		listener, ok := strings.CutSuffix(name, "/port")
		service, l, ok2 := strings.Cut(strings.TrimPrefix(listener, "service/"), "/inet_listener/")
		port, set := s.Int(name)
		if ok && ok2 && set && port != 0 && s.runs(service) {
			all = append(all, Listener{
				Name: l, Protocol: protocolServed(service), Port: port, Addresses: s.addresses(listener),
				TLS: s[listener+"/ssl"] == "yes", HAProxy: s[listener+"/haproxy"] == "yes",
			})
		}
	}
	return all
}

// addresses are the listener's own (address in 2.3, listen in 2.4), or everybody's.
func (s Settings) addresses(listener string) []string {
	for _, name := range []string{listener + "/address", listener + "/listen", "listen"} {
		if list := strings.Trim(s[name], `"`); list != "" {
			return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	return nil
}

// runs reports whether a service runs: those of a protocol do if it is on, and
// have listeners in the settings even if not; all others do always.
func (s Settings) runs(service string) bool {
	for _, l := range listeners {
		if l[0] == service {
			return s.On(protocolOf(l))
		}
	}
	return true
}

// protocolServed is the protocol behind a service: imap-login is imap's.
func protocolServed(service string) string {
	protocol, _, _ := strings.Cut(service, "-")
	if protocol == "managesieve" {
		return "sieve"
	}
	return protocol
}
