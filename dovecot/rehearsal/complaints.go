package rehearsal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"pidgeon/finding"
)

const failed = "the rehearsal failed: "

// complaints are what the rehearsal's log holds, those with a line to blame first.
func (p private) complaints() finding.List {
	log, _ := os.ReadFile(p.path("log"))
	found := p.Config.Logged(string(log))
	slices.SortStableFunc(found, func(a, b finding.Finding) int { return cmp.Compare(b.File, a.File) })
	for i := range found {
		found[i].Problem = failed + found[i].Problem
	}
	return found
}

// ErrBackend is a rehearsal that failed because a user database elsewhere does not
// answer: nothing is known of the candidate. auth of 2.3.19 even ends with signal
// 11 when it starts and PostgreSQL refuses the connection.
var ErrBackend = errors.New("a user database does not answer")

// unreachable is what auth logs then, in the words of libpq, libmysqlclient, libldap
// and the C library.
var unreachable = regexp.MustCompile(`^(?:` + failed + `)?auth[^ ]*: Error: .*(?:Connect failed|Can't connect|Can't contact LDAP server|Connection refused|No route to host|timed out|Timeout|could not translate host name|Name or service not known)`)

// backendFailure is the error of a rehearsal that failed for want of a user database.
func backendFailure(found finding.List) error {
	for _, f := range found {
		if unreachable.MatchString(f.Problem) {
			return fmt.Errorf("%w: %s", ErrBackend, message(f))
		}
	}
	return nil
}

// backendWarnings are for a rehearsal that succeeded: its own user needs no database.
func backendWarnings(found finding.List) finding.List {
	var warnings finding.List
	for _, f := range found {
		if unreachable.MatchString(f.Problem) {
			f.Code, f.Warning, f.Problem = finding.BackendDown, true, ErrBackend.Error()+": "+message(f)
			f.Hint = "whose users it has cannot log in until it does"
			warnings = append(warnings, f)
		}
	}
	return warnings
}

// message is what was logged.
func message(f finding.Finding) string { return strings.TrimPrefix(f.Problem, failed) }
