package status

import (
	"context"
	"log/slog"
	"time"

	"pidgeon/sizing"
	"pidgeon/supervise"
)

// WatchCapacity warns, until ctx ends, when sessions come near to a limit: once at
// 80 % and once at 95 %, for each protocol and for the container, and again only
// after they have fallen clearly below.
//
// It counts when Dovecot has logged as many lines as sessions are missing to the next level,
// because each login logs at least one line; and once a minute, because connections that
// never log in log nothing. The second warning is late if the sessions between 95 % and the
// limit, 50 of 1000, log in within spacing.
func WatchCapacity(ctx context.Context, log *slog.Logger, lines LogMeter, now func() Snapshot) {
	look := func(ctx context.Context) []gauge {
		s := now()
		all, _ := s.count(ctx)
		return gauges(all, s.Capacity)
	}
	watch(ctx, lines, look, func(g gauge, reached int) { warn(log, g, reached) })
}

// LogMeter counts the lines that Dovecot logs.
type LogMeter interface {
	LinesLogged() int64  // since the start
	AlertAt(lines int64) // LinesReached gets a value at this count; never for 0
	LinesReached() <-chan struct{}
}

const (
	spacing = 250 * time.Millisecond // the least time between two counts
	slow    = time.Minute            // between two counts while nothing is logged
	fast    = 10 * time.Second       // the same, from half of a limit on
)

// watch reads the gauges, and warns of those that have risen. look returns none if counting
// has failed.
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
		supervise.Sleep(ctx, spacing)
		select {
		case <-ctx.Done():
		case <-time.After(pace - spacing):
		case <-lines.LinesReached():
		}
	}
}

// gauge is how full a protocol, or the container, is.
type gauge struct {
	protocol       string // empty for the container
	used, limit    int
	maxConnections int    // of the protocol; above it, clients are turned away
	cure           string // what raises the limit
}

// gauges are the limits of protocols, which hold for each generation by itself, and that of
// the container, which holds for all. A protocol that the container limits has no gauge of
// its own, because one warning is enough.
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

// levels are the percentages that a warning is due at: the first while there is time to
// raise the limit, the second before clients are turned away.
var levels = []int{80, 95}

// slack is how far a gauge, in percent, must fall below a level before that level is warned
// of again.
const slack = 10

// warnings are the numbers of levels that were warned of, by protocol.
type warnings map[string]int

// rose returns how many levels a gauge has reached, and whether one of them is new; it counts
// as warned of from then on.
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

// untilNext is the lowest number of sessions that a gauge is short of its next level; 0 if
// no gauge has one.
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

// warn logs that a limit is near, and at the last level what raises it.
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
