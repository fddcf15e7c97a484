// Package occupancy tells how full a server is, by protocol and for the container as
// a whole, and says when it fills up: once at 80 % and once at 95 % of each limit, and
// again only after it has clearly fallen below. It knows when to look; where the
// limits come from, who counts, and how it is said, is for others.
//
// It looks when so much has been logged that a level may be reached: a login logs
// a line at least, so as many lines as there is room come first. An idle server
// logs nothing, and so nobody looks but the slow poll, which finds what logs
// nothing either: connections that never log in.
//
// What holds: a level is told before the limit is reached as long as less than
// what lies between them comes within Spacing, plus the time a look takes. For
// 1000 sessions that is 200 between 80 % and the limit and 50 between 95 % and the
// limit, with 30 places of headroom above; a herd that is faster gets the higher
// warning late, and the lower one still at once unless somebody looked just before.
package occupancy

import (
	"context"
	"time"
)

// Spacing is the least time between two looks.
const Spacing = 250 * time.Millisecond

// How often it looks when nothing is logged: far from every limit, and nearer.
const (
	slow = time.Minute
	fast = 10 * time.Second
)

// Log is what the server writes, as a measure of what happens.
type Log interface {
	Lines() int64          // so far
	WakeAt(lines int64)    // have Busy get a value when there are so many; 0 is never
	Busy() <-chan struct{} // gets one
}

// Watch looks how full the gauges are, and says when one fills up, until ctx ends.
// No gauges mean that it cannot be known now.
func Watch(ctx context.Context, log Log, look func(context.Context) []Gauge, say func(g Gauge, level int)) {
	told := alarms{}
	for ctx.Err() == nil {
		lines := log.Lines()
		gauges := look(ctx)
		for _, g := range gauges {
			if level, news := told.rose(g); news {
				say(g, level)
			}
		}
		at := int64(0)
		if room, ok := told.room(gauges); ok {
			at = lines + int64(room)
		}
		log.WakeAt(at)
		sleep(ctx, Spacing, nil)
		sleep(ctx, pace(gauges)-Spacing, log.Busy())
	}
}

// room is how many more the fullest gauge takes to its next level.
func (a alarms) room(gauges []Gauge) (least int, ok bool) {
	for _, g := range gauges {
		if n, has := g.room(a[g.Name]); has && (!ok || n < least) {
			least, ok = n, true
		}
	}
	return least, ok
}

func pace(gauges []Gauge) time.Duration {
	for _, g := range gauges {
		if 2*g.Used >= g.Limit && g.Limit > 0 {
			return fast
		}
	}
	return slow
}

func sleep(ctx context.Context, d time.Duration, until <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-until:
	}
}
