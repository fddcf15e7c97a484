package sizing

import "pidgeon/config"

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

// Protocol is the demand for one protocol.
type Protocol struct {
	Name     string // as in Dovecot's "protocols": imap, pop3, submission, sieve
	Sessions int    // how many are connected at once
	Auto     bool   // as many as there is room for
	Asked    int    // how many were asked for, if there is room for fewer
	Mode     Mode
	Reuse    bool // a session process may serve one client after another
	Proxied  bool // its sessions are passed on: the login process keeps them, and no other
	Share    int  // how many clients a session process serves at once; 0 is one
	// LimitedBy is the limit of the operator's configuration that Sessions follow from, if no
	// number was asked for.
	LimitedBy string
	// LoginReady and SessionReady are the process_min_avail of overrides; Dovecot takes no
	// lower process_limit.
	LoginReady, SessionReady int
	// LoginLimit and SessionLimit are the process_limit of overrides, 0 if they set none;
	// Dovecot keeps no more processes ready.
	LoginLimit, SessionLimit int
}

// Secure reports whether each connection gets a login process of its own.
func (p Protocol) Secure() bool {
	return p.Mode == Secure || p.Mode == Auto && !p.Auto && p.Sessions <= SecureUpTo
}

// WithSessions is the protocol with another number of sessions, in the same mode.
func (p Protocol) WithSessions(sessions int) Protocol {
	mode := Performance
	if p.Secure() {
		mode = Secure
	}
	p.Mode, p.Sessions = mode, sessions
	return p
}

// Services are the names of Dovecot's services in which its sessions take places.
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

// headroom is 0 if there is room for fewer sessions than were asked for. Session processes
// have the same headroom once more.
func (p Protocol) headroom() int {
	if p.Asked > 0 {
		return 0
	}
	return Headroom(p.Sessions)
}

func (p Protocol) mayShare() bool { return p.hibernates() && p.Reuse }
