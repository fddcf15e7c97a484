package main

import (
	"fmt"

	"pidgeon/dovecot"
	"pidgeon/finding"
	"pidgeon/sizing"
)

// room finds the overrides that leave a protocol room for fewer sessions than were
// asked for, or for many times as many.
func room(effective dovecot.Settings, lines []dovecot.Line, ask []sizing.Protocol) finding.List {
	var remarks finding.List
	for _, p := range ask {
		for i, name := range p.Services() {
			processes, clients, _, ok := effective.Limits(name)
			s := service{name, processes, clients, lines}
			if ok && s.sessions() < p.Sessions {
				remarks = append(remarks, s.undercut(p))
				break
			}
			if login := i == 0; ok && login && s.mistaken(p) {
				remarks = append(remarks, s.overshoot(p))
			}
		}
	}
	return remarks
}

// service is one with the limits that are in force.
type service struct {
	name               string
	processes, clients int
	lines              []dovecot.Line
}

func (s service) sessions() int { return s.processes * s.clients }

// line is the last one of an override that sets one of the limits.
func (s service) line(settings ...string) (found dovecot.Line, ok bool) {
	for _, l := range s.lines {
		for _, setting := range settings {
			if l.Mine && l.Setting == "service/"+s.name+"/"+setting {
				found, ok = l, true
			}
		}
	}
	return found, ok
}

func (s service) remark(code finding.Code, problem, hint string) finding.Finding {
	line, _ := s.line("process_limit", "client_limit")
	return finding.Finding{Code: code, File: line.File, Line: line.Line, Problem: problem, Hint: hint, Warning: true}
}

func (s service) undercut(p sizing.Protocol) finding.Finding {
	return s.remark(finding.Undercut,
		fmt.Sprintf("an override limits %s to %d sessions (service %s: process_limit %d × client_limit %d), and %d were asked for",
			p.Name, s.sessions(), s.name, s.processes, s.clients, p.Sessions),
		"raise the limit, or leave it out")
}

// mistaken is who takes processes for sessions: in performance mode the published
// cure "process_limit = 200" lets in 200 times what one process holds.
func (s service) mistaken(p sizing.Protocol) bool {
	_, processes := s.line("process_limit")
	_, clients := s.line("client_limit")
	return processes && !clients && s.clients > 1 && s.sessions() > 2*p.Sessions
}

func (s service) overshoot(p sizing.Protocol) finding.Finding {
	return s.remark(finding.Overshoot,
		fmt.Sprintf("%d sessions of %s may log in, and %d were asked for: process_limit counts processes, and in performance mode each of them serves %d clients",
			s.sessions(), p.Name, p.Sessions, s.clients),
		"leave process_limit out, and ask for as many sessions as there are")
}
