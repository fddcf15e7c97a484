package dovecot

import "context"

// Sessions are those of one protocol that are logged in.
type Sessions struct {
	All   int
	Older int // of these, those that generations before the last reload serve
}

// CountSessions counts the sessions by protocol, across generations: anvil alone
// is kept by a reload. A process is not a session (measured with 200 sessions: in
// performance mode 204 imap processes on both dialects, as some are started
// ahead); anvil had 200, before and after a reload, and the right number at once
// when some ended. Those that hibernate are among them, and still older ones after
// a reload (20 of 20 with 4 imap processes); one that wakes then gets a process of
// the new generation, counts against its limit, and is older no more.
//
// Connections that have not logged in are not among them, and hold places too:
// see CountConnections.
func (m *Master) CountSessions(ctx context.Context, baseDir string) (map[string]Sessions, error) {
	isOlder := m.olderThanReload()
	counts := map[string]Sessions{}
	err := eachLogin(ctx, m.dialect, baseDir, func(l logins) {
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
