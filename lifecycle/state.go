// Package lifecycle says what follows from what in the life of a container: a pure
// state machine. An event and the state before it give the next state and the actions
// that carry it out; whoever carries them out reports back with the next event. It does
// nothing itself, so that all of it is tested as a table.
package lifecycle

import (
	"time"

	"pidgeon/candidate"
)

// Phase is what a container is at.
type Phase int

const (
	// Starting is until Dovecot serves.
	Starting Phase = iota
	// Serving is when nothing else is to be done.
	Serving
	// Judging is while a candidate is judged, and Dovecot serves.
	Judging
	// Reloading is while it is made sure that Dovecot runs what it was told to.
	Reloading
	// Stopping is the end.
	Stopping
)

// ExitConfig is EX_CONFIG of sysexits(3): the configuration cannot be used.
const ExitConfig = 78

// State is all that the life of a container depends on. The zero value is that of a
// container that begins.
type State struct {
	Phase   Phase
	Policy  Policy
	Running Generation // without a Dir before the first start
	Next    Generation // what Dovecot is to load
	Refused []string   // why the last change is not in force
	Counts  Counts

	// RefusedSources is the last candidate that was refused: the same need not be judged again.
	RefusedSources candidate.SourcesID
	Overtaken      int     // how often in a row the sources have moved while they were judged
	Retry          Backoff // of a candidate that cannot be judged in time, or was loaded in part
	RereadPending  bool    // the sources may have changed since they were read
	ReloadPending  bool    // and what runs is to be loaded again, changed or not

	// Silent is why it is not known, of a listener or a process, that clients get in.
	Silent      map[string]string
	NeedsReload bool      // only a reload brings that back
	ProofRetry  Backoff   // when it is tried again
	Deaths      int       // of processes that logins depend on
	AnvilDied   time.Time // last; with it went what it knew of the sessions

	Backends   candidate.BackendLookup // the last one that their name has given
	LastReload time.Time               // or start
	ExitCode   int                     // where Dovecot has none to give
}

// Policy is what the operator has chosen for a start.
type Policy struct {
	LastGood bool // what last worked is used where the candidate cannot be
	Trust    bool // what need not be judged before it serves is judged while it does
}

// Generation is a configuration that Dovecot runs, or is to run.
type Generation struct {
	candidate.Verdict
	Greeted []string // the listeners that were seen to greet
	Since   time.Time
}

// Counts are reloads that were carried out, and changes that were not.
type Counts struct {
	Loaded  int `json:"loaded"`
	Refused int `json:"refused"`
}

// Degraded reports whether something else is served than what was asked for last.
func (s State) Degraded() bool { return len(s.Refused) > 0 }

// Serves reports whether Dovecot runs what was judged.
func (s State) Serves() bool {
	return s.Phase != Starting && s.Running.Dir != "" && !s.Running.Trusted
}

// DovecotReady reports whether it serves all that it should, as far as is known.
func (s State) Ready() bool { return s.Serves() && len(s.Silent) == 0 }

// NextRetry is when something is tried again; zero if nothing is, or something else goes on.
func (s State) NextRetry() time.Time {
	due := s.Retry.Due
	if len(s.Silent) > 0 && (due.IsZero() || s.ProofRetry.Due.Before(due)) {
		due = s.ProofRetry.Due
	}
	if s.Phase != Serving {
		return time.Time{}
	}
	return due
}

// Live is what a judgement has to know of what runs.
func (s State) Live() candidate.Live {
	if s.Phase == Starting {
		return candidate.Live{Backends: s.Backends}
	}
	return candidate.Live{
		Running: true, Backends: s.Backends, Serving: !s.Running.Trusted,
		Listeners: s.Running.Listeners, Overrides: s.Running.Digests, BaseDir: s.Running.BaseDir,
	}
}

// Backoff spaces out attempts: a judgement that never comes to a verdict takes up to
// 10 s of a processor that others may need.
type Backoff struct {
	Of   candidate.SourcesID
	Wait time.Duration
	Due  time.Time // zero when that attempt is made
}

// After is the backoff after one more attempt at a candidate.
func (b Backoff) After(attempt candidate.SourcesID, now time.Time) Backoff {
	if attempt.Fingerprint != b.Of.Fingerprint {
		b = Backoff{Of: attempt}
	}
	return b.longer(now, time.Minute, time.Hour)
}

// longer has the next attempt be due after twice the time.
func (b Backoff) longer(now time.Time, first, longest time.Duration) Backoff {
	b.Wait = min(max(2*b.Wait, first), longest)
	b.Due = now.Add(b.Wait)
	return b
}

// known is what need not be judged at this time. What was refused is judged again for
// an operator who asks: what was wrong may have been elsewhere.
func (s State) known(now time.Time, forced bool) (known []candidate.SourcesID) {
	add := func(k candidate.SourcesID, ok bool) {
		if ok && k.Fingerprint != "" {
			known = append(known, k)
		}
	}
	add(s.Running.SourcesID, s.Running.Dir != "" && !s.Running.Trusted && s.Running.Outcome == candidate.Passed)
	add(s.RefusedSources, !forced)
	add(s.Retry.Of, !forced && now.Before(s.Retry.Due))
	return known
}
