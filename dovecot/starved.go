package dovecot

import (
	"fmt"
	"strings"

	"pidgeon/finding"
)

// fewest is how many clients auth and stats must hold beside the processes that
// are kept ready, for a handful of users to log in. Measured with ten logins a
// second on two processors, six times each: at 6 and less logins fail with both on
// 2.3.19 and 2.4.1, at 16 with stats on 2.4.1, at 24 and 40 none does. Six of
// these clients are processes that are kept ready.
const fewest = 18

// Starved finds limits with which nobody could log in: each process that serves
// users is a client of auth and of stats. Dovecot warns of a low limit of auth
// alone, and of one that is merely tight in the same words.
func (t Texts) Starved(s Settings) finding.List {
	ready := 0
	for name := range s {
		if strings.HasSuffix(name, "/process_min_avail") {
			n, _ := s.Int(name)
			ready += n
		}
	}
	var found finding.List
	for _, service := range []string{"auth", "stats"} {
		clients, ok := s.Int("service/" + service + "/client_limit")
		if !ok || clients == 0 || clients >= ready+fewest { // 0 is the default
			continue
		}
		found = append(found, t.blamed("service/"+service+"/client_limit", finding.Finding{
			Code:    finding.LimitTooLow,
			Problem: fmt.Sprintf("service %s holds %d clients, and %d are the least with which users can log in", service, clients, ready+fewest),
			Hint:    "leave client_limit out: pidgeon sizes it",
		}))
	}
	return found
}

// blamed names the line of an override that has the last word on a setting.
func (t Texts) blamed(path string, f finding.Finding) finding.Finding {
	if s, ok := lastOf(t.statements(), path); ok && s.text.Mine {
		f.File, f.Line = s.text.Origin, s.last
	}
	return f
}
