package occupancy

// Gauge is how full something is.
type Gauge struct {
	Name   string
	Used   int
	Limit  int    // 0 is without limit
	Places int    // of a protocol: above it, who comes is turned away
	Cure   string // what raises the limit
}

// Levels, in percent, at which a gauge is worth a word: the first while there is
// time to raise the limit, the second before anyone is turned away.
const (
	High = 80
	Full = 95
)

// Slack is by how much, in percent of its limit, a gauge has to fall below a level
// before reaching it again is news.
const slack = 10

// reached is the level that a gauge has reached; 0 for none.
func (g Gauge) reached() int {
	for _, level := range []int{Full, High} {
		if g.Limit > 0 && 100*g.Used >= level*g.Limit {
			return level
		}
	}
	return 0
}

// below reports whether it has fallen clearly below a level.
func (g Gauge) below(level int) bool { return 100*g.Used < (level-slack)*g.Limit }

// room is how many more it takes to the next level above one; ok is false where
// there is none.
func (g Gauge) room(told int) (n int, ok bool) {
	next := High
	switch {
	case g.Limit <= 0 || told >= Full:
		return 0, false
	case told >= High:
		next = Full
	}
	return max(1, (next*g.Limit+99)/100-g.Used), true
}

// alarms are the levels that were told, by gauge.
type alarms map[string]int

// rose reports whether a gauge has reached a level that was not told, and takes it
// for told from now on.
func (a alarms) rose(g Gauge) (level int, news bool) {
	level = g.reached()
	if level > a[g.Name] {
		a[g.Name] = level
		return level, true
	}
	for a[g.Name] > level && g.below(a[g.Name]) {
		a[g.Name] = lower(a[g.Name])
	}
	return level, false
}

func lower(level int) int {
	if level == Full {
		return High
	}
	return 0
}
