package lifecycle

import (
	"log/slog"

	"pidgeon/candidate"
)

// An Event is what has happened: one of the types below.
type Event any

type (
	// ContainerReady is that the container is ready to begin.
	ContainerReady struct{}
	// Judged is what came of a Judge.
	Judged struct {
		candidate.Verdict
		Judge
	}
	// DovecotReady is that Dovecot serves what it was started with.
	DovecotReady struct{}
	// DovecotFailed is that it does not, and has not ended either, or was never started.
	DovecotFailed struct {
		Reasons  []string
		ExitCode int
	}
	// ChangeSuspected is that the sources may have changed.
	ChangeSuspected struct{}
	// ForceReload is that the operator wants the configuration loaded, changed or not.
	ReloadRequested struct{}
	// ReloadConfirmed is that Dovecot runs what it was told to reload.
	ReloadConfirmed struct {
		Reload
		Greeted []string
		Silent  map[string]string // why others do not, or are not known to
	}
	// ReloadUnconfirmed is that it does not, or, in part, not all of it.
	ReloadUnconfirmed struct {
		Reload
		Reasons          []string
		KeptPrevious     bool // it goes on with what it had
		SilencedListener bool // it took a listener away, as it would again
	}
	// ServiceDied is that a process has ended that logins depend on.
	ServiceDied struct{ Service string }
	// NextRetry is that it is time for what is tried again.
	RetryDue struct{}
	// StopRequested is that the container is to end.
	StopRequested struct{}
	// DovecotEnded is that Dovecot has.
	DovecotEnded struct{}
)

// An Action is what is to be done: one of the types below. Judge, Start and Reload
// take a while, and end with an event.
type Action any

type (
	// Judge is to have the sources judged.
	Judge struct {
		Request     candidate.Request // without what only its process needs
		EndOrphans  bool              // end what an earlier Dovecot has left, first
		ForceReload bool              // it ends with a reload
	}
	// Start is to publish a generation and start Dovecot on it.
	Start struct{ Dir string }
	// Reload is to publish a generation, have Dovecot load it, and make sure that it did.
	Reload struct {
		Reason     ReloadReason
		Generation Generation
		Deaths     int // those before it
	}
	// KeepLastGood is to keep a generation for a start with one that cannot be used.
	KeepLastGood struct{ Generation Generation }
	// Publish is to publish a generation that Dovecot runs already.
	Publish struct{ Dir string }
	// Discard is to remove a generation that is not needed.
	Discard struct{ Dir string }
	// AnnounceStart is to say that Dovecot serves what was judged, and to watch its sessions.
	AnnounceStart struct{ Generation Generation }
	// WriteLog is to log a line.
	WriteLog struct {
		Level   slog.Level
		Message string
		Facts   []any
	}
)

// ReloadReason is what a Reload is for.
type ReloadReason int

const (
	// GreetOnly is for no reload: Dovecot runs it, and is asked for its greetings.
	GreetOnly ReloadReason = iota
	// LoadChange is for what has changed.
	LoadChange
	// LoadAgain is for the operator, who asked for it.
	LoadAgain
	// LoadPrevious is for what Dovecot ran before.
	LoadPrevious
	// LoadToRepair is for what runs, and does not serve as it should.
	LoadToRepair
)
