package sizing

import (
	"slices"

	"pidgeon/config"
)

// Mode is how a login service shares its processes among clients.
type Mode string

const (
	// Auto is Secure up to SecureUpTo sessions and Performance above.
	Auto Mode = "auto"
	// Secure gives each connection a login process of its own.
	Secure Mode = "secure"
	// Performance lets a few login processes serve all connections.
	Performance Mode = "performance"
)

// SecureUpTo is the largest number of sessions for which Auto means Secure.
const SecureUpTo = 100

// Protocol is what was asked of one protocol.
type Protocol struct {
	Name     string // as in Dovecot's "protocols": imap, pop3, submission, sieve
	Sessions int    // how many are connected at once
	Mode     Mode
	Reuse    bool // a session process may serve one client after another
	Proxied  bool // its sessions are passed on: the login process keeps them, and no other
	Share    int  // how many clients a session process serves at once; 0 is one
	// Wall is the limit of a configuration of the operator's own that Sessions come to
	// where no number was asked for.
	Wall string
	// LoginReady and SessionReady are how many processes overrides want kept ready: the
	// limits of processes, which Dovecot wants no lower, are sized for them.
	LoginReady, SessionReady int
}

// Secure reports whether each connection gets a login process of its own.
func (p Protocol) Secure() bool {
	return p.Mode == Secure || p.Mode == Auto && p.Sessions <= SecureUpTo
}

// With is the protocol with another number of sessions, in the mode that it has.
func (p Protocol) With(sessions int) Protocol {
	mode := Performance
	if p.Secure() {
		mode = Secure
	}
	p.Mode, p.Sessions = mode, sessions
	return p
}

// Services are the names of Dovecot's services that its sessions take places of.
func (p Protocol) Services() []string {
	services := config.ProtocolNamed(p.Name).Services()
	if p.Proxied {
		services = services[:1]
	}
	return services
}

// hibernates reports whether idle sessions may be handed to a process that keeps
// them all.
func (p Protocol) hibernates() bool { return p.Name == "imap" && !p.Secure() && !p.Proxied }

// Headroom is how many connections beyond the sessions asked for are let in, so
// that a client that has not logged in yet, a probe, or one that reconnects
// before its old session ends is not turned away.
func Headroom(sessions int) int { return 10 + sessions/50 }

// maxShare is how many clients a session process serves at once at most. While it
// works for one, the others wait; beyond ten there is little left to save (measured
// with 1, 2, 5 and 10).
const maxShare = 10

// Share lets IMAP clients share session processes, as many as needed and no more,
// where memory is too short for a process each. have is in KiB; 0 is without limit.
func Share(protocols []Protocol, machine Machine, cost Cost, have int) []Protocol {
	shared := slices.Clone(protocols)
	for share := 1; share <= maxShare; share++ {
		for i, p := range shared {
			if p.mayShare() {
				shared[i].Share = share
			}
		}
		if have == 0 || NeedOf(shared, machine, cost).MemoryKiB <= have {
			break
		}
	}
	return shared
}

func (p Protocol) mayShare() bool { return p.hibernates() && p.Reuse }

// processes is how many the sessions of a protocol take.
func (p Protocol) processes() int {
	switch {
	case p.Secure():
		return len(p.Services()) * p.Sessions
	case p.Proxied:
		return 0 // but the login processes, one for each processor
	}
	return ceil(p.Sessions, max(1, p.Share))
}

// memory is what they take, in KiB.
func (p Protocol) memory(cost Cost) int {
	switch {
	case p.Proxied && p.Secure():
		return p.Sessions * cost.SecureProxiedKiB
	case p.Proxied:
		return p.Sessions * cost.ProxiedKiB
	case p.Secure():
		return p.Sessions * cost.SecureKiB
	}
	share := max(1, p.Share)
	return p.Sessions * (cost.ClientKiB + (cost.PerformanceKiB-cost.ClientKiB)/share)
}
