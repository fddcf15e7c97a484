package status

import (
	"context"
	"log/slog"
	"time"
)

// WatchCapacity warns, until ctx ends, when sessions come near to a limit: once at
// 80 % and once at 95 %, for each protocol and for the container, and again only
// after they have fallen clearly below.
//
// It counts when so much has been logged that a level may be reached: each login
// logs at least one line, so usage cannot reach the next level before that many
// lines were logged. An idle Dovecot logs nothing, and is counted once a minute,
// which finds connections that never log in: those log nothing either.
//
// A warning comes before the limit is reached as long as fewer sessions than lie
// between them log in within spacing and the time of a count. For 1000 sessions
// that is 200 between 80 % and the limit and 50 between 95 % and the limit, with 30
// connections of headroom above. A faster herd gets the second warning late, and
// the first at once unless sessions were counted just before.
func WatchCapacity(ctx context.Context, log *slog.Logger, lines Log, now func() Snapshot) {
	look := func(ctx context.Context) []gauge {
		s := now()
		all, _ := s.count(ctx)
		return gauges(all, s.Capacity)
	}
	watch(ctx, lines, look, func(g gauge, level int) { warn(log, g, level) })
}

// Log is what Dovecot logs, as a measure of what happens.
type Log interface {
	Lines() int64          // so far
	WakeAt(lines int64)    // have Busy get a value when there are so many; 0 is never
	Busy() <-chan struct{} // gets one
}

// spacing is the least time between two counts.
const spacing = 250 * time.Millisecond

// How often sessions are counted when nothing is logged: far from every limit, and
// nearer.
const (
	slow = time.Minute
	fast = 10 * time.Second
)

// watch looks at the gauges. No gauges mean that they cannot be known now.
func watch(ctx context.Context, lines Log, look func(context.Context) []gauge, say func(g gauge, level int)) {
	told := warnings{}
	for ctx.Err() == nil {
		before := lines.Lines()
		all := look(ctx)
		for _, g := range all {
			if level, news := told.rose(g); news {
				say(g, level)
			}
		}
		at := int64(0)
		if n, ok := told.untilNext(all); ok {
			at = before + int64(n)
		}
		lines.WakeAt(at)
		sleep(ctx, spacing, nil)
		sleep(ctx, pace(all)-spacing, lines.Busy())
	}
}

func pace(all []gauge) time.Duration {
	for _, g := range all {
		if 2*g.used >= g.limit && g.limit > 0 {
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

// warn logs that a limit comes near, and at the last moment what raises it.
func warn(log *slog.Logger, g gauge, level int) {
	facts := []any{"held", g.used, "of", g.limit}
	what := "this container"
	if g.name != containerGauge {
		what, facts = "sessions", append(facts, "protocol", g.name, "turned_away_above", g.maxConnections)
	}
	if level < full {
		log.Warn(what+" filling up", facts...)
		return
	}
	log.Warn(what+" nearly full", append(facts, "cure", g.cure)...)
}
