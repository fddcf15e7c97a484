package rehearsal

import (
	"cmp"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"pidgeon/finding"
	"pidgeon/lazyregexp"
)

const failed = "the rehearsal failed: "

// startupFailed is what the master says beside the reason that a service logs.
const startupFailed = "command startup failed"

// complaints are the complaints in the rehearsal's log, those with a line to blame first.
func (p private) complaints() finding.List {
	log, _ := os.ReadFile(p.path("log"))
	found := p.Config.LogComplaints(string(log))
	if slices.ContainsFunc(found, func(f finding.Finding) bool { return fatal.MatchString(f.Problem) }) {
		found = slices.DeleteFunc(found, func(f finding.Finding) bool { return strings.Contains(f.Problem, startupFailed) })
	}
	slices.SortStableFunc(found, func(a, b finding.Finding) int { return cmp.Compare(b.File, a.File) })
	for i := range found {
		found[i].Problem = failed + found[i].Problem
	}
	return found
}

// What auth logs of a database, in the words of libpq, libmysqlclient, libldap and the C
// library.
var (
	byAuth      = `^(?:` + failed + `)?auth[^ ]*: Error: .*`
	unreachable = lazyregexp.New(byAuth + `(?:Connect failed|Can't connect|Can't contact LDAP server|Connection refused|No route to host|timed out|Timeout|could not translate host name|Name or service not known|Unknown (?:MySQL )?server host)`)
	byPolicy    = lazyregexp.New(`policy\([^)]*\): `) // with the user and the session
	turnedAway  = lazyregexp.New(byAuth + `(?:Invalid credentials|password authentication failed|Access denied for user)`)
)

// IsDatabaseRefusal reports whether a finding is about a user database that refuses Dovecot's
// password.
func IsDatabaseRefusal(f finding.Finding) bool { return turnedAway.MatchString(f.Problem) }

// backends are the complaints about user databases: one that refuses Dovecot is a fault, one
// that is down is a warning, because the candidate is not its cause.
func backends(logged finding.List) (found finding.List) {
	for _, f := range logged {
		switch {
		case turnedAway.MatchString(f.Problem):
			f.Hint = "correct the name or the password that Dovecot logs in to its user database with"
			found = append(found, f)
		case unreachable.MatchString(f.Problem):
			down := BackendDown(strings.TrimPrefix(f.Problem, failed))
			down.File, down.Line = f.File, f.Line
			if !slices.ContainsFunc(found, func(other finding.Finding) bool { return said(other) == said(down) }) {
				found = append(found, down)
			}
		}
	}
	return found
}

// said is what a complaint says, whichever of auth's processes it comes from.
func said(f finding.Finding) string {
	_, said, _ := strings.Cut(f.Problem, ": Error: ")
	return said
}

// BackendDown is a warning, because the candidate is not its cause.
func BackendDown(said string) finding.Finding {
	if byPolicy.MatchString(said) {
		return finding.Warn(finding.BackendDown, "", "the policy server does not work: "+byPolicy.ReplaceAllString(said, ""), "auth_policy_reject_on_fail decides on logins until it does")
	}
	return finding.Warn(finding.BackendDown, "", "a user database does not work: "+said, "whose users it has cannot log in until it does")
}

// errAuthWaits means that a login got no answer because auth was still connecting to a
// database: libmariadb looks for an unknown host for 5 s and more.
var errAuthWaits = errors.New("auth is not ready yet")

// authWaits reports whether auth runs and greets nobody.
func (p private) authWaits() bool {
	conn, err := net.Dial("unix", p.path("base/auth-client"))
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// causedByLandlock reports whether Landlock is the cause of a complaint: then Dovecot names no missing
// permission, as it does otherwise (2.3.19, 2.4.1: eacces-error.c).
func causedByLandlock(f finding.Finding) bool {
	return strings.Contains(f.Problem, "failed: Permission denied (euid=") && !strings.Contains(f.Problem, "missing +")
}
