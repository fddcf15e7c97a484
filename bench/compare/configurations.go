package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// setting is one of Dovecot's, as 2.3 spells it; a global one has no service.
type setting struct{ service, name, value string }

// configuration is a row of the tables. Rows differ in their limits alone: users,
// certificate, mail format and listeners are the same for all.
type configuration struct {
	name    string
	dialect string // the only one it was published for, or "-"
	mode    string // IMAP_MODE of pidgeon's own, or "-"
	source  string // repository, version, file
	limits  []setting
}

func (c configuration) String() string { return c.name }

//go:embed configurations.txt
var published string

// cpus stands for the number of processors in a limit.
const cpus = "CPUS"

// configurations are those for a dialect.
func configurations(dialect string) (all []configuration) {
	for line := range strings.Lines(published) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, value, limit := strings.Cut(line, " = "); limit {
			i := strings.IndexByte(name, '/')
			last := &all[len(all)-1]
			last.limits = append(last.limits, setting{name[:max(i, 0)], name[i+1:], value})
			continue
		}
		column := strings.Split(line, " | ")
		all = append(all, configuration{name: column[0], dialect: column[1], mode: column[2], source: column[3]})
	}
	return slices.DeleteFunc(all, func(c configuration) bool { return c.dialect != "-" && c.dialect != dialect })
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
