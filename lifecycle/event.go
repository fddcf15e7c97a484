package lifecycle

import (
	"log/slog"

	"pidgeon/candidate"
)

// An Event is what has happened: one of the types below.
type Event any

type (
	// Opened is that the container is ready to begin.
	Opened struct{}
	// Judged is what came of a Judge.
	Judged struct {
		candidate.Verdict
		Judge
	}
	// Ready is that Dovecot serves what it was started with.
	Ready struct{}
	// Failed is that it does not, and has not ended either, or was never started.
	Failed struct {
		Reasons  []string
		ExitCode int
	}
	// Woken is that the sources may have changed.
	Woken struct{}
	// Forced is that the operator wants the configuration loaded, changed or not.
	Forced struct{}
	// Confirmed is that Dovecot runs what it was told to reload.
	Confirmed struct {
		Reload
		Greeted []string
		Silent  map[string]string // why others do not, or are not known to
	}
	// Unconfirmed is that it does not, or, in part, not all of it.
	Unconfirmed struct {
		Reload
		Reasons []string
		Whole   bool // it goes on with what it had
		Mute    bool // it took a listener away, as it would again
	}
	// Died is that a process has ended that logins depend on.
	Died struct{ Service string }
	// Due is that it is time for what is tried again.
	Due struct{}
	// Stop is that the container is to end.
	Stop struct{}
	// Ended is that Dovecot has.
	Ended struct{}
)

// An Action is what is to be done: one of the types below. Judge, Start and Reload
// take a while, and end with an event.
type Action any

type (
	// Judge is to have the sources judged.
	Judge struct {
		Request candidate.Request // without what only its process needs
		Sweep   bool              // end what an earlier Dovecot has left, first
		Forced  bool              // it ends with a reload
	}
	// Start is to publish a generation and start Dovecot on it.
	Start struct{ Dir string }
	// Reload is to publish a generation, have Dovecot load it, and make sure that it did.
	Reload struct {
		Why        Why
		Generation Generation
		Deaths     int // those before it
	}
	// Keep is to keep a generation for a start with one that cannot be used.
	Keep struct{ Generation Generation }
	// Publish is to publish a generation that Dovecot runs already.
	Publish struct{ Dir string }
	// Discard is to remove a generation that is not needed.
	Discard struct{ Dir string }
	// Started is to say that Dovecot serves what was judged, and to watch its sessions.
	Started struct{ Generation Generation }
	// Say is to log a line.
	Say struct {
		Level   slog.Level
		Message string
		Facts   []any
	}
)

// Why is what a Reload is for.
type Why int

const (
	// Greet is for no reload: Dovecot runs it, and is asked for its greetings.
	Greet Why = iota
	// Advance is for what has changed.
	Advance
	// Repeat is for the operator, who asked for it.
	Repeat
	// Undo is for what Dovecot ran before.
	Undo
	// Mend is for what runs, and does not serve as it should.
	Mend
)
