package status

import "pidgeon/sizing"

// gauge is how full a protocol, or the container, is.
type gauge struct {
	name           string
	used           int
	limit          int    // 0 is without limit
	maxConnections int    // of a protocol: above it, clients are turned away
	cure           string // what raises the limit
}

// containerGauge is the name of the gauge for all protocols together.
const containerGauge = "container"

// gauges are those of the protocols, and of the container. A protocol's limits hold
// for each generation by itself, the container's for all of them. Where the
// container is what limits a protocol, one warning for both is enough.
func gauges(all []Usage, capacity sizing.Capacity) []gauge {
	var found []gauge
	total, known := 0, false
	for _, u := range all {
		held, ok := u.held()
		if !ok {
			continue
		}
		total, known = total+held, true
		if u.By != capacity.By {
			found = append(found, gauge{u.Protocol, held - u.Older, u.Limit, u.MaxConnections, u.cure})
		}
	}
	if known && capacity.Sessions > 0 {
		found = append(found, gauge{name: containerGauge, used: total, limit: capacity.Sessions, cure: capacity.Cure})
	}
	return found
}

// Levels, in percent, at which a gauge is worth a warning: the first while there is
// time to raise the limit, the second before anyone is turned away.
const (
	high = 80
	full = 95
)

// slack is by how much, in percent of its limit, a gauge has to fall below a level
// before reaching it again is news.
const slack = 10

// reached is the level that a gauge has reached; 0 for none.
func (g gauge) reached() int {
	for _, level := range []int{full, high} {
		if g.limit > 0 && 100*g.used >= level*g.limit {
			return level
		}
	}
	return 0
}

// below reports whether it has fallen clearly below a level.
func (g gauge) below(level int) bool { return 100*g.used < (level-slack)*g.limit }

// untilNext is how many more sessions reach the level after the one that was
// warned of; ok is false where there is none.
func (g gauge) untilNext(warned int) (n int, ok bool) {
	next := high
	switch {
	case g.limit <= 0 || warned >= full:
		return 0, false
	case warned >= high:
		next = full
	}
	return max(1, (next*g.limit+99)/100-g.used), true
}

// warnings are the levels that were warned of, by the name of the gauge.
type warnings map[string]int

// rose reports whether a gauge has reached a level that was not warned of, and
// remembers it.
func (w warnings) rose(g gauge) (level int, news bool) {
	level = g.reached()
	if level > w[g.name] {
		w[g.name] = level
		return level, true
	}
	for w[g.name] > level && g.below(w[g.name]) {
		w[g.name] = lower(w[g.name])
	}
	return level, false
}

// untilNext is how many more sessions the fullest gauge takes to its next level.
func (w warnings) untilNext(all []gauge) (least int, ok bool) {
	for _, g := range all {
		if n, has := g.untilNext(w[g.name]); has && (!ok || n < least) {
			least, ok = n, true
		}
	}
	return least, ok
}

func lower(level int) int {
	if level == full {
		return high
	}
	return 0
}
