package sizing

import (
	"cmp"
	"slices"
	"sort"
)

// Budget is what there is for sessions, and what they cost.
type Budget struct {
	Machine Machine
	Allowed Allowed
	Cost    Cost
}

const (
	// maxShare is how many clients a session process serves at once at most. While it
	// works for one, the others wait; beyond ten there is little left to save (measured
	// with 1, 2, 5 and 10).
	maxShare = 10
	// leastAuto is what a protocol without a number gets before those with one have all
	// of theirs, and fewAuto is up to where its clients share processes to be more.
	leastAuto = 10
	fewAuto   = 1000
)

// Fit lowers the sessions of the protocols, all by the same part, to what there is room
// for, and gives those without a number what the others leave. Before it lowers any, IMAP
// clients share session processes, as many as needed, where memory is what is short.
func (r Budget) Fit(ask []Protocol) (fitted []Protocol) {
	plenty := r
	plenty.Allowed.MemoryKiB = 0
	for share := 1; share <= maxShare; share++ {
		shared := slices.Clone(ask)
		for i, p := range shared {
			if p.mayShare() {
				shared[i].Share = share
			}
		}
		fitted = r.most(shared)
		if !slices.ContainsFunc(fitted, Protocol.isFew) || slices.Equal(fitted, plenty.most(shared)) {
			break
		}
	}
	return fitted
}

// isFew reports whether sharing processes is worth it.
func (p Protocol) isFew() bool {
	if p.Auto {
		return p.Sessions < fewAuto
	}
	return p.Asked > 0
}

func (r Budget) fits(protocols []Protocol) bool { return r.Need(protocols).fits(r.Allowed) }

// most is as many as there is room for, with the processes shared as they are.
func (r Budget) most(ask []Protocol) []Protocol {
	least := withAuto(ask, leastAuto)
	if r.fits(least) {
		if !slices.ContainsFunc(ask, func(p Protocol) bool { return p.Auto }) {
			return least
		}
		return withAuto(ask, sort.Search(MaxSessions, func(n int) bool { return !r.fits(withAuto(ask, n+1)) }))
	}
	return lowered(least, r.part(least, largest(least)))
}

// part is how many of as many as limit sessions there is room for, if what is asked for
// most is so many, and the others are in proportion.
func (r Budget) part(ask []Protocol, limit int) int {
	return sort.Search(limit, func(n int) bool { return !r.fits(lowered(ask, n+1)) })
}

func largest(ask []Protocol) (n int) {
	for _, p := range ask {
		n = max(n, p.Sessions)
	}
	return n
}

// withAuto gives those without a number n sessions.
func withAuto(ask []Protocol, n int) []Protocol {
	given := slices.Clone(ask)
	for i, p := range given {
		if given[i] = p.WithSessions(p.Sessions); p.Auto {
			given[i].Sessions, given[i].Asked = n, max(n, fewAuto)
		}
	}
	return given
}

// lowered is what is asked for, with n sessions of what is asked for most and the others
// in proportion, but one at least. No headroom is left where fewer are held than asked for:
// what there is room for is what is let in.
func lowered(ask []Protocol, n int) []Protocol {
	all, most := slices.Clone(ask), largest(ask)
	for i, p := range all {
		all[i] = p.WithSessions(max(1, p.Sessions*n/max(1, most)))
		all[i].Asked = max(p.Sessions, p.Asked)
	}
	return all
}

// Bottleneck is a limit of the container that is reached before the sessions asked for.
type Bottleneck struct {
	Limit      string // pids.max, memory.max, ulimit -n
	Have, Need int    // memory in KiB
	Sessions   int    // how many fit
}

// Memory reports whether the limit is in KiB.
func (b Bottleneck) Memory() bool { return b.Limit != "pids.max" && b.Limit != "ulimit -n" }

// Requested are the protocols with the sessions that were asked for, before Fit has lowered
// them.
func Requested(fitted []Protocol) []Protocol {
	asked := slices.Clone(fitted)
	for i, p := range asked {
		if asked[i].Asked = 0; !p.Auto {
			asked[i].Sessions = max(p.Sessions, p.Asked)
		}
	}
	return asked
}

// Bottlenecks are the limits that are too low for the sessions asked for, the lowest first.
// With "auto" there is always one, whose Need is for half as many sessions more.
func (r Budget) Bottlenecks(fitted []Protocol) (all []Bottleneck) {
	asked, auto := Requested(fitted), false
	for i, p := range asked {
		if p.Auto {
			asked[i].Sessions, auto = p.Sessions+p.Sessions/2+1, true
		}
	}
	for _, l := range r.Need(asked).limits(r.Allowed) {
		if l.have >= l.need {
			continue
		}
		alone := Budget{r.Machine, l.alone, r.Cost}
		held := alone.Need(lowered(asked, alone.part(asked, largest(asked)))).Sessions
		if !auto && held == r.Need(asked).Sessions {
			continue // all sessions fit without their headroom
		}
		all = append(all, Bottleneck{l.name, l.have, l.need, held})
	}
	slices.SortStableFunc(all, func(a, b Bottleneck) int { return cmp.Compare(a.Sessions, b.Sessions) })
	return all
}

// Capacity is how many sessions the container has room for, in the proportion of those held;
// ok is false if nothing limits them.
func (r Budget) Capacity(held []Protocol) (lowest Bottleneck, ok bool) {
	r.Allowed.Files = 0 // which limits a process, not the container
	most := lowered(held, r.part(held, MaxSessions))
	need := r.Need(most)
	lowest.Sessions = need.Sessions
	for _, l := range r.Need(lowered(held, largest(most)+1)).limits(r.Allowed) {
		if ok = l.have < l.need; ok {
			lowest.Limit, lowest.Have, lowest.Need = l.name, l.have, l.need
			break
		}
	}
	return lowest, ok && lowest.Sessions > 0
}
