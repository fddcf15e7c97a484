package main

import (
	"fmt"
	"strings"
)

// A setting is one of Dovecot's, as 2.3 spells it. Without a service it is a
// global one.
type setting struct{ service, name, value string }

// A configuration is a row of the tables: a server, told apart from the others
// by its limits alone. Users, certificate, mail format and listeners are the
// same for all.
type configuration struct {
	name    string
	source  string // where the limits were published: repository, version, file
	dialect string // the only one it was published for; empty for all
	limits  []setting
	mode    string // IMAP_MODE, for pidgeon's own
}

// configurations are the servers that sessions and logins are compared for. What
// their publishers leave to Dovecot's defaults is left to them here.
//
// Mailu ends TLS in an nginx in front of Dovecot; here its limits serve TLS
// themselves. mailcow's are for Dovecot 2.3, and so are Mailu's and
// docker-mailserver's; on 2.4 they are translated. The official image also has
// imap_hibernate_timeout = 5s, which is no limit, and needs the users and sockets
// of that image: without them no idle session wakes again.
var configurations = []configuration{
	{name: "stock", source: "Debian's dovecot-core and dovecot-imapd, /etc/dovecot"},
	{
		name: "docker-mailserver", source: "docker-mailserver/docker-mailserver v15.1.0, target/dovecot/10-master.conf",
		limits: nil, // every limit in it is commented out
	},
	{
		name: "mailcow", source: "mailcow/mailcow-dockerized 2026-07a, data/conf/dovecot/dovecot.conf",
		limits: []setting{
			{"", "default_client_limit", "10400"},
			{"", "default_vsz_limit", "1024 M"},
			{"", "mail_max_userip_connections", "500"},
			{"auth", "vsz_limit", "2G"},
			{"imap-login", "service_count", "1"},
			{"imap-login", "process_min_avail", "2"},
			{"imap-login", "process_limit", "10000"},
			{"imap-login", "vsz_limit", "1G"},
			{"imap", "vsz_limit", "1G"},
		},
	},
	{
		name: "Mailu", source: "Mailu/Mailu 2024.06.57, core/dovecot/conf/dovecot.conf",
		limits: []setting{
			{"", "default_vsz_limit", "2GB"},
			{"", "mail_max_userip_connections", "20"},
			{"imap-login", "service_count", "0"},
			{"imap-login", "client_limit", "25000"},
			{"imap-login", "process_min_avail", cpus},
			{"imap-login", "process_limit", cpus},
			{"imap-login", "vsz_limit", "256M"},
		},
	},
	{
		name: "dovecot-image", source: "dovecot/docker 8f40355, old/2.3.21.1/dovecot.conf", dialect: "2.3",
		limits: []setting{
			{"imap-login", "process_min_avail", "1"},
			{"imap-login", "client_limit", "1000"},
			{"imap-login", "service_count", "0"},
		},
	},
	{
		name: "dovecot-image", source: "dovecot/docker 8f40355, config/1.0.0/dovecot.conf", dialect: "2.4",
		limits: []setting{
			{"imap-login", "process_min_avail", "1"},
			{"imap-login", "client_limit", "100"},
			{"stats", "process_min_avail", "1"},
		},
	},
	{name: "pidgeon-secure", source: "this repository", mode: "secure"},
	{name: "pidgeon-performance", source: "this repository", mode: "performance"},
}

// cpus stands for the number of processors, as in Mailu's template.
const cpus = "{{ CPU_COUNT }}"

// of are the configurations for a dialect.
func of(dialect string) []configuration {
	var all []configuration
	for _, c := range configurations {
		if c.dialect == "" || c.dialect == dialect {
			all = append(all, c)
		}
	}
	return all
}

// conf spells the limits for a dialect.
func (c configuration) conf(dialect string, processors int) string {
	var b strings.Builder
	for _, s := range c.limits {
		s.value = strings.ReplaceAll(s.value, cpus, fmt.Sprint(processors))
		if s.name == "service_count" && dialect == "2.4" {
			s.name = "restart_request_count"
			if s.value == "0" {
				s.value = "unlimited"
			}
		}
		if s.service == "" {
			fmt.Fprintf(&b, "%s = %s\n", s.name, s.value)
		} else {
			fmt.Fprintf(&b, "service %s {\n  %s = %s\n}\n", s.service, s.name, s.value)
		}
	}
	return b.String()
}
