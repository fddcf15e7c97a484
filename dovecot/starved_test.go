package dovecot

import (
	"fmt"
	"testing"
)

func TestStarved(t *testing.T) {
	onEveryStage(t, func(t *testing.T, th *theater) {
		for _, service := range []string{"auth", "stats"} {
			for _, tt := range []struct {
				clients int
				ready   string
				starved bool
			}{{3, "", true}, {17, "", true}, {18, "", false}, {40, "", false}, {40, "service imap {\n  process_min_avail = 30\n}\n", true}} {
				override := fmt.Sprintf("%sservice %s {\n  client_limit = %d\n}\n", tt.ready, service, tt.clients)
				r := th.candidate(override)
				found := r.Texts.Starved(r.Effective)
				if len(found) > 0 != tt.starved || tt.starved && (found[0].File != mine || found[0].Line == 0 || found[0].Warning) {
					t.Errorf("%s: %v", override, found)
				}
			}
		}
		if r := th.candidate(""); len(r.Texts.Starved(r.Effective)) > 0 {
			t.Error("stock limits are too low")
		}
	})
}
