package settings_test

import (
	"slices"
	"testing"

	"pidgeon/settings"
)

// With a configuration of the operator's own, what pidgeon's templates would have made
// of a variable is nothing, right or wrong, and one line says so of all.
func TestOwnConfigurationIgnoresOurVariables(t *testing.T) {
	s, err := settings.Load([]string{
		"DOVECOT_CONF=/etc/dovecot/dovecot.conf", "TLS=flavour", "PROTOCOLS=submission", "IMAP_PORT=24", "LMTP_PORT=24",
		"USERS=alice:secret", "IMAP_CONCURRENCY=7",
	})
	if err != nil || !s.HasOperatorConfig() || s.IMAPConcurrency != 7 || len(s.Users) > 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	want := []string{"without effect with DOVECOT_CONF: PROTOCOLS, USERS, TLS, IMAP_PORT, LMTP_PORT: write that into the configuration, or into an override"}
	if !slices.Equal(s.Notes, want) {
		t.Errorf("noted: %q", s.Notes)
	}
	if s.Environ["TLS"] != "flavour" {
		t.Error("a template of the operator's cannot use what is in the environment")
	}
}
