package lifecycle

import (
	"log/slog"

	"pidgeon/candidate"
)

// An Event is one of the types below.
type Event any

type (
	// ContainerReady reports that directories, locks and sockets are acquired.
	ContainerReady struct{}
	// Judged reports the verdict that a Judge asked for.
	Judged struct {
		candidate.Verdict
		Judge
	}
	// DovecotReady reports that Dovecot serves the generation it was started with.
	DovecotReady struct{}
	// DovecotFailed reports that Dovecot was not started, or runs and does not serve.
	DovecotFailed struct {
		Reasons  []string
		ExitCode int
	}
	// ChangeSuspected reports that the sources may have changed.
	ChangeSuspected struct{}
	// ReloadRequested reports SIGHUP: the configuration is to be loaded, changed or not.
	ReloadRequested struct{}
	// ReloadConfirmed reports that Dovecot runs the generation of a Reload.
	ReloadConfirmed struct {
		Reload
		Greeted []string
		Silent  map[string]string // listeners without a greeting, and why
	}
	// ReloadUnconfirmed reports that Dovecot does not run the generation, or only a part.
	ReloadUnconfirmed struct {
		Reload
		Reasons          []string
		KeptPrevious     bool // it goes on with what it had
		SilencedListener bool // it took a listener away, as it would again
	}
	// ServiceDied is that a process has ended that logins depend on.
	ServiceDied struct{ Service string }
	// RetryDue is that it is time for what is tried again.
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
	Start struct{ Generation Generation }
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

// ReloadReason says why a Reload takes place.
type ReloadReason int

const (
	// GreetOnly reloads nothing, and asks the running generation for its greetings.
	GreetOnly ReloadReason = iota
	// LoadChange loads a new generation.
	LoadChange
	// LoadAgain loads the running generation, because the operator sent SIGHUP.
	LoadAgain
	// LoadPrevious undoes a change that Dovecot has loaded in part.
	LoadPrevious
	// LoadToRepair loads the running generation, because a process of it has failed.
	LoadToRepair
)
