package config

import (
	"slices"
	"strings"
)

// Listener is a TCP socket that Dovecot is told to listen on.
type Listener struct {
	Name      string
	Protocol  string
	Port      int
	Addresses []string // IP addresses; * is all of IPv4
	TLS       bool     // from the first byte on
	HAProxy   bool     // clients connect through a proxy that speaks HAProxy's protocol
	Mute      bool     // it hangs up, because TLS has no certificate
}

// Protocol is a protocol between clients and Dovecot.
type Protocol struct {
	Name      string   // as in PROTOCOLS and in Dovecot's "protocols"
	Login     string   // the service that takes connections
	Session   string   // the service that serves clients after their login
	Listeners []string // their names; one that ends in "s" begins with TLS
	Greeting  string   // how the server's first line begins
}

var protocols = []Protocol{
	{"imap", "imap-login", "imap", []string{"imap", "imaps"}, "* OK"},
	{"lmtp", "lmtp", "", []string{"lmtp"}, "220 "},
	{"pop3", "pop3-login", "pop3", []string{"pop3", "pop3s"}, "+OK"},
	{"sieve", "managesieve-login", "managesieve", []string{"sieve"}, `"`},
	{"submission", "submission-login", "submission", []string{"submission", "submissions"}, "220 "},
}

// Protocols are all protocols, in the order of their names.
func Protocols() []Protocol { return slices.Clone(protocols) }

// Services are the names of the services of the protocol, the one that takes connections
// first. LMTP has only that one, because it has no sessions.
func (p Protocol) Services() []string {
	return slices.DeleteFunc([]string{p.Login, p.Session}, func(name string) bool { return name == "" })
}

// ProtocolNamed finds a protocol by its name; the zero value if there is none.
func ProtocolNamed(name string) Protocol {
	for _, p := range protocols {
		if p.Name == name {
			return p
		}
	}
	return Protocol{}
}

// ProtocolOfService is the name of the protocol behind a service: imap-hibernate and
// imap-login are imap's (anvil itself cuts there: 2.4.1, connect_limit_connect).
func ProtocolOfService(service string) string {
	protocol, _, _ := strings.Cut(service, "-")
	if protocol == "managesieve" {
		return "sieve"
	}
	return protocol
}

// ListenerOf finds the service and protocol of a listener that pidgeon's own
// templates have; ok is false for any other.
func ListenerOf(name string) (p Protocol, ok bool) {
	for _, p := range protocols {
		if slices.Contains(p.Listeners, name) {
			return p, true
		}
	}
	return Protocol{}, false
}
