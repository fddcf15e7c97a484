package watch

import "time"

// settle turns a burst of events into one moment: when they pause, or when they
// have lasted too long.
type settle struct {
	quiet, max time.Duration
	timer      *time.Timer // nil until the first event
	latest     time.Time   // zero while no event is pending
}

// touch notes an event.
func (s *settle) touch() {
	now := time.Now()
	if s.latest.IsZero() {
		s.latest = now.Add(s.max)
	}
	wait := min(s.quiet, s.latest.Sub(now))
	if s.timer == nil {
		s.timer = time.NewTimer(wait)
		return
	}
	s.timer.Reset(wait)
}

// due receives when the events have settled; calm must follow.
func (s *settle) due() <-chan time.Time {
	if s.timer == nil {
		return nil
	}
	return s.timer.C
}

// calm forgets the pending events.
func (s *settle) calm() {
	s.latest = time.Time{}
	if s.timer != nil {
		s.timer.Stop()
	}
}
