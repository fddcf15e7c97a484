package rehearsal

import (
	"strings"
	"testing"
)

// TestListedUsers rehearses what overrides make of the names in USERS.
func TestListedUsers(t *testing.T) {
	onEach(t, func(t *testing.T, h host) {
		lower, name := map[string]string{"2.3": "%Lu", "2.4": "%{user | lower}"}[h.Dialect], map[string]string{"2.3": "%Ln", "2.4": "%{user | username | lower}"}[h.Dialect]
		realm := map[string]string{"2.3": "auth_default_realm = example.com\n", "2.4": "auth_default_domain = example.com\n"}[h.Dialect]
		both := []string{"", "@rehearsal.invalid"}
		for _, tt := range []struct {
			override string
			domains  []string
			refused  bool
		}{
			{"", both, false},
			{"auth_username_format = " + lower + "\n", both, false},
			{"auth_username_format = everyone\n", both, true},
			{"auth_username_format = " + name + "\n", both[:1], false},
			{"auth_username_format = " + name + "\n", both[1:], true},
			{realm, both[1:], false},
			{realm, both[:1], true},
			{"auth_username_translation = abcd\n", both, true},
			{"auth_username_translation = abcd\n", nil, false},
		} {
			r := h.candidate(tt.override)
			r.Domains = tt.domains
			found, err := Run(t.Context(), h.Dovecot, r)
			if err != nil || len(found) > 0 != tt.refused || tt.refused && !strings.Contains(found[0].Problem, "users of USERS") {
				t.Errorf("%s with %q: %v, %v", tt.override, tt.domains, found, err)
			}
		}
	})
}
