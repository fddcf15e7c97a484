package dovecot

import "slices"

// IsSession reports whether a process of that name serves a logged-in user. On
// SIGTERM it says BYE, through a login process if the session has TLS, so that one
// has to live a little longer.
func IsSession(name string) bool {
	return slices.Contains([]string{"imap", "pop3", "submission", "managesieve", "lmtp"}, name)
}
