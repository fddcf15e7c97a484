package status

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"pidgeon/dovecot/master"
	"pidgeon/sizing"
)

// Usage is how full a protocol is. Dovecot counts sessions, of all generations; the kernel
// counts connections.
type Usage struct {
	Protocol       string `json:"protocol"`
	Limit          int    `json:"limit"` // as in sizing.Ceiling, like the two after it
	MaxConnections int    `json:"places"`
	By             string `json:"limited_by"`
	Sessions       *int   `json:"sessions"`    // logged in; null if unknown
	Older          int    `json:"older"`       // sessions of generations before the last reload
	Connections    *int   `json:"connections"` // logged in or not; null if unknown

	cure string
}

func (s Snapshot) counted() Document {
	d := s.document()
	var err error
	if d.Usage, err = s.count(context.Background()); err != nil {
		d.Uncounted = err.Error()
	} else if !s.AnvilDied.IsZero() {
		d.Uncounted = "anvil died at " + s.AnvilDied.Format(time.RFC3339) + ": sessions from before count as not logged in"
	}
	return d
}

// count asks Dovecot and the kernel. Numbers that could not be counted are nil, and the error
// says why.
func (s Snapshot) count(ctx context.Context) ([]Usage, error) {
	defer debug.FreeOSMemory() // because the next count may be a minute away
	sessions, err := map[string]master.Sessions(nil), errors.New("asking anvil: Dovecot does not run yet")
	if s.Master != nil {
		sessions, err = s.Master.CountSessions(ctx, s.BaseDir)
	}
	connections, err2 := master.CountConnections(sizing.Ports(s.Ceilings...))
	all := make([]Usage, len(s.Ceilings))
	for i, c := range s.Ceilings {
		all[i] = Usage{Protocol: c.Protocol, Limit: c.Limit, MaxConnections: c.MaxConnections, By: c.By, cure: c.Cure}
		// anvil of 2.3.19 does not count proxied sessions, that of 2.4.1 does.
		if of := sessions[c.Protocol]; err == nil && (of.All > 0 || !c.Proxied) {
			all[i].Sessions, all[i].Older = &of.All, of.Older
		}
		if n := c.Connections(connections); err2 == nil {
			all[i].Connections = &n
		}
	}
	return all, errors.Join(err, err2)
}

// held is the number of connections of all generations; ok is false if unknown. There may be
// more sessions, because some come over Unix sockets.
func (u Usage) held() (n int, ok bool) {
	for _, count := range []*int{u.Sessions, u.Connections} {
		if count != nil {
			n, ok = max(n, *count), true
		}
	}
	return n, ok
}

// String is for people, behind the name of the protocol.
func (u Usage) String() string {
	var b strings.Builder
	held := "unknown"
	if n, ok := u.held(); u.Sessions != nil {
		held = strconv.Itoa(*u.Sessions)
	} else if ok {
		held = fmt.Sprintf("at most %d", n)
	}
	fmt.Fprintf(&b, "%s of %d", held, u.Limit)
	if u.MaxConnections > u.Limit {
		fmt.Fprintf(&b, " (%d with headroom)", u.MaxConnections)
	}
	if !strings.HasSuffix(u.By, "_CONCURRENCY") { // which is the number that was asked for
		fmt.Fprintf(&b, ", limited by %s", u.By)
	}
	if u.Older > 0 {
		fmt.Fprintf(&b, "; %d of them from before the last reload, which the limit does not count", u.Older)
	}
	if u.Sessions != nil && u.Connections != nil && *u.Connections > *u.Sessions {
		fmt.Fprintf(&b, "; %d more not logged in", *u.Connections-*u.Sessions)
	}
	return b.String()
}
