package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"pidgeon/dovecot"
	"pidgeon/occupancy"
)

// usage is how full a protocol is. Dovecot tells who is logged in, of all
// generations; the kernel who is connected, which is who holds a place.
type usage struct {
	ceiling
	Sessions    *int `json:"sessions"`    // logged in; null if unknown
	Older       int  `json:"older"`       // of these, how many the generations before the last reload serve
	Connections *int `json:"connections"` // logged in or not; null if unknown
}

// census is where the running Dovecot is counted.
type census struct {
	master  *dovecot.Master // nil before the start
	baseDir string
}

// count counts what is held now. What cannot be known stays unknown, with the
// reason in the error; it never takes longer than anvil may.
func (c census) count(ctx context.Context, ceilings []ceiling) ([]usage, error) {
	defer debug.FreeOSMemory() // what a count has used is not needed until the next one
	sessions, err := map[string]dovecot.Sessions(nil), errors.New("asking anvil: Dovecot does not run yet")
	if c.master != nil {
		sessions, err = c.master.CountSessions(ctx, c.baseDir)
	}
	ports := map[int]bool{}
	for _, of := range ceilings {
		for _, port := range of.ports {
			ports[port] = true
		}
	}
	connections, err2 := dovecot.CountConnections(ports)
	all := make([]usage, len(ceilings))
	for i, of := range ceilings {
		all[i].ceiling = of
		if s := sessions[of.Protocol]; err == nil {
			all[i].Sessions, all[i].Older = &s.All, s.Older
		}
		if err2 == nil {
			n := 0
			for _, port := range of.ports {
				n += connections[port]
			}
			all[i].Connections = &n
		}
	}
	return all, errors.Join(err, err2)
}

// held is how many hold a place, in any generation; ok is false if unknown.
// Sessions may be more: some come over Unix sockets.
func (u usage) held() (n int, ok bool) {
	for _, count := range []*int{u.Sessions, u.Connections} {
		if count != nil {
			n, ok = max(n, *count), true
		}
	}
	return n, ok
}

// waiting is how many are connected and not logged in.
func (u usage) waiting() int {
	if u.Sessions == nil || u.Connections == nil {
		return 0
	}
	return max(0, *u.Connections-*u.Sessions)
}

// container is the name of the gauge for all protocols together.
const container = "container"

// gauges are how full the protocols are, and the container. A protocol's limits
// hold for each generation by itself, the container's for all of them. Where the
// container is what bounds a protocol, it is enough to say so once.
func (s state) gauges(all []usage) []occupancy.Gauge {
	var gauges []occupancy.Gauge
	total, known := 0, false
	for _, u := range all {
		held, ok := u.held()
		if !ok {
			continue
		}
		total, known = total+held, true
		if u.By != s.Room.By {
			gauges = append(gauges, occupancy.Gauge{Name: u.Protocol, Used: held - u.Older, Limit: u.Limit})
		}
	}
	if known && s.Room.Sessions > 0 {
		gauges = append(gauges, occupancy.Gauge{Name: container, Used: total, Limit: s.Room.Sessions})
	}
	return gauges
}

func (s state) ceilingOf(protocol string) ceiling {
	i := slices.IndexFunc(s.ceilings, func(c ceiling) bool { return c.Protocol == protocol })
	if i < 0 {
		return ceiling{}
	}
	return s.ceilings[i]
}

// String is for status.
func (u usage) String() string {
	var b strings.Builder
	held := "unknown"
	if n, ok := u.held(); u.Sessions != nil {
		held = strconv.Itoa(*u.Sessions)
	} else if ok {
		held = fmt.Sprintf("at most %d", n)
	}
	fmt.Fprintf(&b, "%s: %s of %d", u.Protocol, held, u.Limit)
	if u.Places > u.Limit {
		fmt.Fprintf(&b, " (%d with headroom)", u.Places)
	}
	if !strings.HasSuffix(u.By, "_CONCURRENCY") {
		fmt.Fprintf(&b, ", limited by %s", u.By)
	}
	if u.Older > 0 {
		fmt.Fprintf(&b, "; %d of them from before the last reload, which the limit does not count", u.Older)
	}
	if n := u.waiting(); n > 0 {
		fmt.Fprintf(&b, "; %d more not logged in", n)
	}
	return b.String()
}
