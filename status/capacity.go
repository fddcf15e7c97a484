package status

import (
	"context"
	"log/slog"
	"time"

	"pidgeon/sizing"
)

// WatchCapacity warns, until ctx ends, when sessions come near to a limit: once at
// 80 % and once at 95 %, for each protocol and for the container, and again only
// after they have fallen clearly below.
//
// It counts when so much has been logged that a level may be reached: each login
// logs at least one line, so usage cannot reach the next level before that many lines
// were logged. What logs nothing, like connections that never log in, is found by a
// count each minute. Of 1000 sessions 50 lie between 95 % and the limit: when more
// log in within spacing, the second warning comes late.
func WatchCapacity(ctx context.Context, log *slog.Logger, lines LogMeter, now func() Snapshot) {
	look := func(ctx context.Context) []gauge {
		s := now()
		all, _ := s.count(ctx)
		return gauges(all, s.Capacity)
	}
	watch(ctx, lines, look, func(g gauge, reached int) { warn(log, g, reached) })
}

// LogMeter is what Dovecot logs, as a measure of what happens.
type LogMeter interface {
	LinesLogged() int64            // so far
	AlertAt(lines int64)           // have Busy get a value when there are so many; 0 is never
	LinesReached() <-chan struct{} // gets one
}

const (
	spacing = 250 * time.Millisecond // the least time between two counts
	slow    = time.Minute            // between two counts while nothing is logged
	fast    = 10 * time.Second       // the same, from half of a limit on
)

// watch looks at the gauges. No gauges mean that they cannot be known now.
func watch(ctx context.Context, lines LogMeter, look func(context.Context) []gauge, say func(g gauge, reached int)) {
	told := warnings{}
	for ctx.Err() == nil {
		before, pace, wakeAt := lines.LinesLogged(), slow, int64(0)
		all := look(ctx)
		for _, g := range all {
			if reached, news := told.rose(g); news {
				say(g, reached)
			}
			if g.percent() >= 50 {
				pace = fast
			}
		}
		if n := told.untilNext(all); n > 0 {
			wakeAt = before + int64(n)
		}
		lines.AlertAt(wakeAt)
		select {
		case <-ctx.Done():
		case <-time.After(spacing):
		}
		select {
		case <-ctx.Done():
		case <-time.After(pace - spacing):
		case <-lines.LinesReached():
		}
	}
}

// gauge is how full a protocol, or the container, is.
type gauge struct {
	protocol       string // empty for all of them together
	used, limit    int
	maxConnections int    // of the protocol; above it, clients are turned away
	cure           string // what raises the limit
}

// gauges are those that have a limit. A protocol's holds for each generation by
// itself, the container's for all of them. Where the container is what limits a
// protocol, one warning for both is enough.
func gauges(all []Usage, capacity sizing.Capacity) []gauge {
	var found []gauge
	total, known := 0, false
	for _, u := range all {
		held, ok := u.held()
		total, known = total+held, known || ok
		if ok && u.Limit > 0 && u.By != capacity.By {
			found = append(found, gauge{u.Protocol, held - u.Older, u.Limit, u.MaxConnections, u.cure})
		}
	}
	if known && capacity.Sessions > 0 {
		found = append(found, gauge{used: total, limit: capacity.Sessions, cure: capacity.Cure})
	}
	return found
}

func (g gauge) percent() int { return 100 * g.used / g.limit }

// levels, in percent, are those that a gauge is worth a warning at: the first while
// there is time to raise the limit, the second before anyone is turned away.
var levels = []int{80, 95}

// slack is by how much, in percent, a gauge has to fall below a level before reaching
// it again is news.
const slack = 10

// warnings are how many of the levels were warned of, by protocol.
type warnings map[string]int

// rose is how many of the levels a gauge has reached, and whether one of them is
// news. Then it is taken for told.
func (w warnings) rose(g gauge) (reached int, news bool) {
	for reached < len(levels) && g.percent() >= levels[reached] {
		reached++
	}
	told := w[g.protocol]
	for told > reached && g.percent() < levels[told-1]-slack {
		told--
	}
	w[g.protocol] = max(told, reached)
	return reached, reached > told
}

// untilNext is how many more sessions the fullest gauge takes to its next level; 0 if
// there is none.
func (w warnings) untilNext(all []gauge) (least int) {
	for _, g := range all {
		if told := w[g.protocol]; told < len(levels) {
			n := max(1, (levels[told]*g.limit+99)/100-g.used)
			if least == 0 || n < least {
				least = n
			}
		}
	}
	return least
}

// warn logs that a limit comes near, and at the last moment what raises it.
func warn(log *slog.Logger, g gauge, reached int) {
	what, facts := "this container", []any{"held", g.used, "of", g.limit}
	if g.protocol != "" {
		what, facts = "sessions", append(facts, "protocol", g.protocol, "turned_away_above", g.maxConnections)
	}
	if reached < len(levels) {
		log.Warn(what+" filling up", facts...)
		return
	}
	log.Warn(what+" nearly full", append(facts, "cure", g.cure)...)
}
