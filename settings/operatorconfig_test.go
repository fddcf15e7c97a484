package settings_test

import (
	"slices"
	"strings"
	"testing"

	"pidgeon/settings"
)

// With a configuration of the operator's own, what pidgeon's templates would have made
// of a variable is nothing, right or wrong, and it is said once of each.
func TestOwnConfigurationIgnoresOurVariables(t *testing.T) {
	s, err := settings.Load([]string{
		"DOVECOT_CONF=/etc/dovecot/dovecot.conf", "TLS=flavour", "PROTOCOLS=submission", "IMAP_PORT=24", "LMTP_PORT=24",
		"USERS=alice:secret", "IMAP_CONCURRENCY=7",
	})
	if err != nil || !s.HasOperatorConfig() || s.IMAPConcurrency != 7 || len(s.Users) > 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	var told []string
	for _, note := range s.Notes {
		name, rest, _ := strings.Cut(note, " ")
		if !strings.HasPrefix(rest, "has no effect with DOVECOT_CONF") {
			t.Errorf("noted: %s", note)
		}
		told = append(told, name)
	}
	if want := []string{"PROTOCOLS", "USERS", "TLS", "IMAP_PORT", "LMTP_PORT"}; !slices.Equal(told, want) {
		t.Errorf("told of %v, not of %v", told, want)
	}
	if s.Environ["TLS"] != "flavour" {
		t.Error("a template of the operator's cannot use what is in the environment")
	}
}
