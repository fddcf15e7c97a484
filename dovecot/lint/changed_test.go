package lint

import (
	"strings"
	"testing"

	"pidgeon/config"
	"pidgeon/tests/dovecottest"
)

// TestChangedListeners gives a real doveconf overrides of listeners. Faults begin
// with "error: ".
func TestChangedListeners(t *testing.T) {
	tests := []struct{ name, override, want string }{
		{"nothing", "", ""},
		{"another listener", "service imap-login {\n  inet_listener extra {\n    port = 9\n    haproxy = yes\n  }\n}\n", ""},
		{"off", "service imap-login {\n  inet_listener imaps {\n    port = 0\n  }\n}\n", mine + ":3: the listener imaps is off, and IMAPS_PORT asks for port 993: to have it off, set IMAPS_PORT=0"},
		{"moved", "service imap-login {\n  inet_listener imap {\n    port = 1143\n  }\n}\n", mine + ":3: the listener imap is on port 1143, and IMAP_PORT asks for 143: set IMAP_PORT=1143"},
		{"haproxy", "service imap-login {\n  inet_listener imaps {\n    haproxy = yes\n  }\n}\n", mine + ":3: the listener imaps turns away who does not come through a proxy that speaks HAProxy's protocol: give such a proxy a listener of its own"},
		{"without TLS", "service imap-login {\n  inet_listener imaps {\n    ssl = no\n  }\n}\n", mine + ":3: the listener imaps does not speak TLS, which its clients begin with: leave the line out, unless a proxy before it ends TLS"},
		{"with TLS", "service imap-login {\n  inet_listener imap {\n    ssl = yes\n  }\n}\n", mine + ":3: the listener imap begins with TLS, which its clients do not expect: leave the line out: imaps is the listener for that"},
		{
			"all off", "service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n  inet_listener imaps {\n    port = 0\n  }\n}\n",
			mine + ":3: the listener imap is off, and IMAP_PORT asks for port 143: to have it off, set IMAP_PORT=0\n" +
				mine + ":6: the listener imaps is off, and IMAPS_PORT asks for port 993: to have it off, set IMAPS_PORT=0\n" +
				"error: " + mine + ":6: every listener for imap that was asked for is off: to have no imap, take it out of PROTOCOLS",
		},
		{"LMTP over sockets alone", "service lmtp {\n  inet_listener lmtp {\n    port = 0\n  }\n}\n", mine + ":3: the listener lmtp is off, and LMTP_PORT asks for port 24: to have it off, set LMTP_PORT=0"},
		{"not asked for", "service pop3-login {\n  inet_listener pop3 {\n    port = 1\n  }\n}\n", ""},
	}
	asked := []config.Listener{{Name: "imap", Port: 143}, {Name: "imaps", Port: 993}, {Name: "pop3s", Port: 0}, {Name: "sieve", Port: 4190}, {Name: "lmtp", Port: 24}}
	dovecottest.OnEach(t, func(t *testing.T, h *dovecottest.Host) {
		for _, tt := range tests {
			files, effective := h.Configure(t, tt.override)
			var got []string
			for _, f := range Parse(files, h.Dir).ChangedListeners(effective, asked) {
				severity := "error: "
				if f.Warning {
					severity = ""
				}
				got = append(got, severity+f.Error())
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("%s: got\n%s\nwant\n%s", tt.name, strings.Join(got, "\n"), tt.want)
			}
		}
	})
}
