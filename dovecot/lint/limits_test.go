package lint

import (
	"fmt"
	"testing"

	"pidgeon/tests/dovecottest"
)

func TestLimitFaults(t *testing.T) {
	dovecottest.OnEach(t, func(t *testing.T, h *dovecottest.Host) {
		for _, service := range []string{"auth", "stats"} {
			for _, tt := range []struct {
				clients int
				ready   string
				starved bool
			}{{3, "", true}, {17, "", true}, {18, "", false}, {40, "", false}, {40, "service imap {\n  process_min_avail = 30\n}\n", true}} {
				override := fmt.Sprintf("%sservice %s {\n  client_limit = %d\n}\n", tt.ready, service, tt.clients)
				files, effective := h.Configure(t, override)
				found := Parse(files, h.Dir).LimitFaults(effective)
				if len(found) > 0 != tt.starved || tt.starved && (found[0].File != mine || found[0].Line == 0 || found[0].Warning) {
					t.Errorf("%s: %v", override, found)
				}
			}
		}
		if files, effective := h.Configure(t, ""); len(Parse(files, h.Dir).LimitFaults(effective)) > 0 {
			t.Error("stock limits are too low")
		}
	})
}

// The entrypoint relies on some settings: 2.3 panics when base_dir changes.
func TestOwnedSettingFaults(t *testing.T) {
	owned := map[string]string{"base_dir": "/run/pidgeon/dovecot", "instance_name": "dovecot"}
	for _, dialect := range dovecottest.Dialects {
		for _, tt := range []struct{ name, override, want string }{
			{"untouched", "instance_name = dovecot\n", ""},
			{"base_dir", "# base_dir\n\ninstance_name = dovecot\n  base_dir = /tmp/x\n", mine + `:4: base_dir is set to "/tmp/x", and pidgeon needs it to be "/run/pidgeon/dovecot": remove the line`},
			{"both", "base_dir = /tmp/x\ninstance_name = other\n", mine + `:1: base_dir is set to "/tmp/x", and pidgeon needs it to be "/run/pidgeon/dovecot": remove the line` + "\n" +
				mine + `:2: instance_name is set to "other", and pidgeon needs it to be "dovecot": remove the line`},
			{"set to the same", "base_dir = /run/pidgeon/dovecot\ninstance_name = dovecot\n", ""},
		} {
			t.Run(dialect+"/"+tt.name, func(t *testing.T) {
				files := dovecottest.Configuration(t, dialect, t.TempDir(), tt.override)
				if got := Parse(files, dovecottest.Here).OwnedSettingFaults(owned).Error(); got != tt.want {
					t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
				}
			})
		}
	}
}
