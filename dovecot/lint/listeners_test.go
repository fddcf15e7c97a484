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
	type test struct{ name, override, want string }
	tests := []test{
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
		{
			"all off but one of its own", "service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n  inet_listener imaps {\n    port = 0\n  }\n  inet_listener mine {\n    port = 10143\n  }\n}\n",
			mine + ":3: the listener imap is off, and IMAP_PORT asks for port 143: to have it off, set IMAP_PORT=0\n" +
				mine + ":6: the listener imaps is off, and IMAPS_PORT asks for port 993: to have it off, set IMAPS_PORT=0",
		},
		{"LMTP over sockets alone", "service lmtp {\n  inet_listener lmtp {\n    port = 0\n  }\n}\n", mine + ":3: the listener lmtp is off, and LMTP_PORT asks for port 24: to have it off, set LMTP_PORT=0"},
		{"all TLS", "ssl = no\n", "error: " + mine + ":1: the listener imaps is not opened with ssl = no: leave the line out, or set TLS=no"},
		{"all TLS but what needs none", "ssl = no\nservice imap-login {\n  inet_listener imaps {\n    ssl = no\n  }\n}\n", mine + ":4: the listener imaps does not speak TLS, which its clients begin with: leave the line out, unless a proxy before it ends TLS"},
		{"all TLS of a protocol", "protocol imap {\n  ssl = no\n}\n", "error: " + mine + ":2: the listener imaps would greet nobody with ssl = no: leave the line out, or set IMAPS_PORT=0"},
		{
			"certificates of clients", "auth_ssl_require_client_cert = yes\n",
			"error: " + mine + ":1: nobody could log in: certificates are required of clients, which are not asked for one: leave the line out, or set ssl_verify_client_cert and ssl_ca (2.3), ssl_server_request_client_cert and ssl_server_ca_file (2.4)",
		},
		{
			"authentication alone", "protocols =\n", mine + ":1: the listener imap is off with its protocol, which PROTOCOLS asks for: to have no imap, take it out of PROTOCOLS\n" +
				mine + ":1: the listener imaps is off with its protocol, which PROTOCOLS asks for: to have no imap, take it out of PROTOCOLS\n" +
				mine + ":1: the listener lmtp is off with its protocol, which PROTOCOLS asks for: to have no lmtp, take it out of PROTOCOLS",
		},
		{"not asked for", "service pop3-login {\n  inet_listener pop3 {\n    port = 1\n  }\n}\n", ""},
	}
	asked := []config.Listener{{Name: "imap", Port: 143}, {Name: "imaps", Port: 993}, {Name: "pop3s", Port: 0}, {Name: "lmtp", Port: 24}}
	dovecottest.OnEach(t, func(t *testing.T, h *dovecottest.Host) {
		without := map[string]string{"2.3": "protocols = lmtp\n", "2.4": "protocols {\n  imap = no\n}\n"}[h.Dialect]
		line := map[string]string{"2.3": ":1: ", "2.4": ":2: "}[h.Dialect]
		off, cure := " is off with its protocol, which PROTOCOLS asks for", ": to have no imap, take it out of PROTOCOLS"
		cleartext := map[string]string{"2.3": "disable_plaintext_auth = no\n", "2.4": "auth_allow_cleartext = yes\n"}[h.Dialect]
		asked4 := map[string]string{"2.3": "ssl_verify_client_cert = yes\nssl_ca = <@/tls.crt\n", "2.4": "ssl_server_request_client_cert = yes\nssl_server_ca_file = @/tls.crt\n"}[h.Dialect]
		tests := append(tests, test{
			"no TLS on purpose", "ssl = no\n" + cleartext, mine + ":1: the listener imaps is not opened with ssl = no: leave the line out, or set TLS=no",
		}, test{
			"certificates that are asked for", "auth_ssl_require_client_cert = yes\n" + strings.ReplaceAll(asked4, "@/", h.Dir+"/"), "",
		}, test{
			"certificates that nobody signs", "auth_ssl_require_client_cert = yes\n" + strings.ReplaceAll(asked4, "@/tls.crt", "/etc/hostname"),
			"error: " + mine + ":1: nobody could log in: certificates are required of clients, and /etc/hostname has none of who signs them: leave the line out, or set ssl_verify_client_cert and ssl_ca (2.3), ssl_server_request_client_cert and ssl_server_ca_file (2.4)",
		})
		for _, tt := range append(tests, test{
			"protocol", without, mine + line + "the listener imap" + off + cure + "\n" + mine + line + "the listener imaps" + off + cure + "\n" +
				"error: " + mine + line + "every listener for imap that was asked for is off" + cure,
		}) {
			files, effective := h.Configure(t, tt.override)
			var got []string
			for _, f := range Parse(files, h.Dir).ChangedListeners(effective, asked, false) {
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
