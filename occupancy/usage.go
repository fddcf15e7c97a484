package occupancy

import (
	"fmt"
	"strconv"
	"strings"
)

// Usage is how full a protocol is. Dovecot tells who is logged in, of all
// generations; the kernel who is connected, which is who holds a place.
type Usage struct {
	Ceiling
	Sessions    *int `json:"sessions"`    // logged in; null if unknown
	Older       int  `json:"older"`       // of these, how many the generations before the last reload serve
	Connections *int `json:"connections"` // logged in or not; null if unknown
}

// held is how many hold a place, in any generation; ok is false if unknown.
// Sessions may be more: some come over Unix sockets.
func (u Usage) held() (n int, ok bool) {
	for _, count := range []*int{u.Sessions, u.Connections} {
		if count != nil {
			n, ok = max(n, *count), true
		}
	}
	return n, ok
}

// waiting is how many are connected and not logged in.
func (u Usage) waiting() int {
	if u.Sessions == nil || u.Connections == nil {
		return 0
	}
	return max(0, *u.Connections-*u.Sessions)
}

// String is for people.
func (u Usage) String() string {
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
	if !strings.HasSuffix(u.By, "_CONCURRENCY") { // else it is what was asked for
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

// Container is the name of the gauge for all protocols together.
const Container = "container"

// Gauges are how full the protocols are, and the container. A protocol's limits
// hold for each generation by itself, the container's for all of them. Where the
// container is what bounds a protocol, it is enough to say so once.
func Gauges(all []Usage, room Room) []Gauge {
	var gauges []Gauge
	total, known := 0, false
	for _, u := range all {
		held, ok := u.held()
		if !ok {
			continue
		}
		total, known = total+held, true
		if u.By != room.By {
			gauges = append(gauges, Gauge{Name: u.Protocol, Used: held - u.Older, Limit: u.Limit, Places: u.Places, Cure: u.Cure})
		}
	}
	if known && room.Sessions > 0 {
		gauges = append(gauges, Gauge{Name: Container, Used: total, Limit: room.Sessions, Cure: room.Cure})
	}
	return gauges
}
