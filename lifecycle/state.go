// Package lifecycle is the state machine of a container. An event and a state give the
// next state and a list of actions; package main carries these out and reports the next
// event. The package has no side effects, so that a table can test all of it.
package lifecycle

import (
	"time"

	"pidgeon/candidate"
)

// Phase is the current activity of a container.
type Phase int

const (
	// Starting lasts until Dovecot serves.
	Starting Phase = iota
	// Serving has no job in the background.
	Serving
	// Judging waits for a verdict while Dovecot serves.
	Judging
	// Reloading waits for Dovecot to confirm a generation.
	Reloading
	// Stopping accepts no further event.
	Stopping
)

// ExitConfig is EX_CONFIG of sysexits(3): the configuration cannot be used.
const ExitConfig = 78

// State is everything that a transition depends on. The zero value is a container before
// its start.
type State struct {
	Phase   Phase
	Policy  Policy
	Running Generation // without a Dir before the first start
	Next    Generation // that Dovecot is about to load
	Refused []string   // why the last change is not in force
	Counts  Counts

	// RefusedSources are not judged again.
	RefusedSources candidate.SourcesID
	Overtaken      int     // how often in a row the sources have changed while they were judged
	Retry          Backoff // of a candidate that was not judged in time, or loaded in part
	RereadPending  bool    // the sources may have changed since they were read
	ReloadPending  bool    // SIGHUP came: the next judgement ends with a reload

	// Silent names listeners and processes that may turn clients away, and why.
	Silent      map[string]string
	NeedsReload bool      // only a reload repairs them
	ProofRetry  Backoff   // of the next attempt to reach them
	Deaths      int       // of processes that logins depend on
	LastCut     int       // the number of the last death that only a reload repairs
	AnvilDied   time.Time // last, when the session counts were lost

	Backends   candidate.BackendLookup // the last answer for the name of BACKENDS
	LastReload time.Time               // or start
	ExitCode   int                     // if Dovecot has none of its own
}

// Policy is derived from ON_INVALID and DOVECOT_CONF.
type Policy struct {
	LastGood   bool // start with the last good generation if the candidate is refused
	Regardless bool // or else with the candidate, if Dovecot does
	Trust      bool // start with known sources before they are judged
}

// Generation is a configuration that Dovecot runs, or is about to run.
type Generation struct {
	candidate.Verdict
	Faulty  bool     // it was refused, and started because there was no other
	Greeted []string // the listeners that were seen to greet
	Since   time.Time
}

// Counts are numbers of reloads, and of changes that were refused.
type Counts struct {
	Loaded  int `json:"loaded"`
	Refused int `json:"refused"`
}

// Degraded reports whether the last change is not in force.
func (s State) Degraded() bool { return len(s.Refused) > 0 }

// Serves reports whether Dovecot runs a generation that was judged.
func (s State) Serves() bool {
	return s.Phase != Starting && s.Running.Dir != "" && !s.Running.Trusted
}

// Ready reports whether every listener serves, as far as is known, a generation that passed.
func (s State) Ready() bool { return s.Serves() && len(s.Silent) == 0 && !s.Running.Faulty }

// NextRetry is the time of the next RetryDue; zero if there is nothing to retry, or a job
// runs.
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

// Live is the part of the running generation that a judgement needs.
func (s State) Live() candidate.Live {
	if s.Phase == Starting {
		return candidate.Live{Backends: s.Backends}
	}
	return candidate.Live{
		Running: true, Backends: s.Backends, Serving: !s.Running.Trusted,
		Listeners: s.Running.Listeners, Overrides: s.Running.Digests, BaseDir: s.Running.BaseDir, Anvil: s.Running.Anvil,
	}
}

// Backoff spaces out attempts, because a judgement without a verdict can take 10 s of
// processor time.
type Backoff struct {
	Of   candidate.SourcesID
	Wait time.Duration
	Due  time.Time // zero while the attempt is made
}

// After is the backoff after one more attempt at a candidate.
func (b Backoff) After(attempt candidate.SourcesID, now time.Time) Backoff {
	if attempt.Fingerprint != b.Of.Fingerprint {
		b = Backoff{Of: attempt}
	}
	return b.longer(now, time.Minute, time.Hour)
}

// longer doubles the wait, within the two bounds.
func (b Backoff) longer(now time.Time, first, longest time.Duration) Backoff {
	b.Wait = min(max(2*b.Wait, first), longest)
	b.Due = now.Add(b.Wait)
	return b
}

// known are sources that need no judgement now. SIGHUP has refused ones judged again,
// because the cause may have been outside of them.
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
