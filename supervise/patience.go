package supervise

import (
	"os"
	"time"
)

// hurry is what a further stop signal leaves of the grace period.
const hurry = time.Second

// patience is how long a stop may still take. It begins once, and from then on
// gets only shorter.
type patience struct {
	grace time.Duration
	end   time.Time // zero: not begun
	timer *time.Timer
}

func newPatience(grace time.Duration) *patience {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &patience{grace: grace, timer: timer}
}

func (p *patience) close() { p.timer.Stop() }

// over reports the end. It reports it again after each later begin or hear.
func (p *patience) over() <-chan time.Time { return p.timer.C }

// hear begins at the first stop signal and shortens at each further one.
func (p *patience) hear(sig os.Signal) {
	switch {
	case !IsStop(sig):
	case p.end.IsZero():
		p.begin()
	default:
		p.limit(hurry)
	}
}

func (p *patience) begin() { p.limit(p.grace) }

// limit sets the timer even when the end has passed: whoever waits next hears
// of it at once.
func (p *patience) limit(d time.Duration) {
	if end := time.Now().Add(d); p.end.IsZero() || end.Before(p.end) {
		p.end = end
	}
	p.timer.Reset(time.Until(p.end))
}
