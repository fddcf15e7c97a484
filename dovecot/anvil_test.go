package dovecot_test

import (
	"testing"

	"pidgeon/dovecot"
)

// Of what a dump says of anvil, only what differs from Dovecot's defaults counts.
func TestAnvil(t *testing.T) {
	unchanged := (dovecot.Settings{}).Anvil()
	for _, tt := range []struct {
		name  string
		s     dovecot.Settings
		equal bool
	}{
		{"limits", dovecot.Settings{"service/anvil/client_limit": "7", "service/auth/unix_listener/x/mode": "0666"}, true},
		{"the defaults", dovecot.Settings{"service/anvil/type": "anvil", "service/anvil/unix_listener/anvil/mode": "0600"}, true},
		{"one that was off is off", dovecot.Settings{"service/anvil/inet_listener/x/port": "0", "service/anvil/unix_listener/y/mode": "00"}, true},
		{"the penalty's is off", dovecot.Settings{"service/anvil/unix_listener/anvil-auth-penalty/mode": "0"}, false},
		{"one more", dovecot.Settings{"service/anvil/fifo_listener/x/mode": "0600"}, false},
		{"a port", dovecot.Settings{"service/anvil/inet_listener/x/port": "7"}, false},
		{"another type", dovecot.Settings{"service/anvil/type": "login"}, false},
		{"a protocol that may be off", dovecot.Settings{"service/anvil/protocol": "pop3"}, false},
	} {
		if got := tt.s.Anvil(); (got == unchanged) != tt.equal {
			t.Errorf("%s: %q beside %q", tt.name, got, unchanged)
		}
	}
}
