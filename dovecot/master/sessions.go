package master

import (
	"context"
	"slices"
)

// Sessions are those of one protocol that are logged in.
type Sessions struct {
	All   int
	Older int // of these, those that generations before the last reload serve
}

// CountSessions counts the sessions by protocol, across generations: anvil alone
// is kept by a reload. A process is not a session (measured with 200 sessions: in
// performance mode 204 imap processes on both dialects, as some are started
// ahead); anvil had 200, before and after a reload, and the right number at once
// when some ended.
//
// Older is who is served by a process from before the reload. A session that falls
// asleep or wakes after it (imap-hibernate) moves to a process of the new generation:
// it counts against that one's limit of session processes, and no longer as older,
// though its login process stays (measured: 139 of 1000 that were about to
// hibernate). So older may be too few, and never too many.
//
// Connections that have not logged in are not among them, and hold places too:
// see CountConnections.
func (p *Process) CountSessions(ctx context.Context, baseDir string) (map[string]Sessions, error) {
	isOlder := p.olderThanReload()
	counts := map[string]Sessions{}
	err := eachLogin(ctx, p.dialect, baseDir, func(l logins) {
		c := counts[l.protocol]
		c.All += l.n
		if isOlder(l.pid) {
			c.Older += l.n
		}
		counts[l.protocol] = c
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// IsSession reports whether a process of that name serves a logged-in user. On
// SIGTERM it says BYE, through a login process if the session has TLS, so that one
// has to live a little longer.
func IsSession(name string) bool {
	return slices.Contains([]string{"imap", "pop3", "submission", "managesieve", "lmtp"}, name)
}
