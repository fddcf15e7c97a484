package rehearsal

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"pidgeon/dovecot"
	"pidgeon/tests/dovecottest"
)

// TestEveryProtocolCanFail spoils one protocol each, on a real Dovecot.
func TestEveryProtocolCanFail(t *testing.T) {
	plugin := map[string]string{"2.3": "protocol @ {\n  mail_plugins = nosuch\n}\n", "2.4": "protocol @ {\n  mail_plugins {\n    nosuch = yes\n  }\n}\n"}
	broken := "service @ {\n  executable = /bin/false\n}\n"
	tests := []struct {
		name, override2, override4, want string
	}{
		{name: "greeting", override2: "service imap-login {\n  vsz_limit = 2M\n}\n", want: "imap-login"},
		{name: "STARTTLS", override2: "ssl_key = <@/other.key\n", override4: "ssl_server_key_file = @/other.key\n", want: "different cert"},
		{name: "login", override2: "auth_mechanisms = plain bogus\n", override4: "auth_mechanisms {\n  bogus = yes\n}\n", want: "Unknown authentication mechanism"},
		{name: "plugins", override2: "mail_plugins = nosuch\n", override4: "mail_plugins {\n  nosuch = yes\n}\n", want: "nosuch"},
		{name: "INBOX", override2: "mail_location = bogus:~/mail\n", override4: "mail_driver = bogus\n", want: "Unknown mail storage driver bogus"},
		{name: "POP3", override2: strings.ReplaceAll(plugin["2.3"], "@", "pop3"), override4: strings.ReplaceAll(plugin["2.4"], "@", "pop3"), want: "pop3(pidgeon"},
		{name: "Sieve", override2: strings.ReplaceAll(broken, "@", "managesieve"), want: "managesieve"},
		{name: "Submission", override2: strings.ReplaceAll(broken, "@", "submission-login"), want: "submission-login"},
		{name: "LMTP", override2: strings.ReplaceAll(broken, "@", "lmtp"), want: "lmtp"},
	}
	onEach(t, func(t *testing.T, h host) {
		for _, tt := range tests {
			override := tt.override2
			if h.Dialect == "2.4" && tt.override4 != "" {
				override = tt.override4
			}
			found, err := h.rehearse(override)
			if err != nil || len(found) == 0 || !strings.Contains(found.Error(), tt.want) {
				t.Errorf("%s: found %v, %v; wanted %q", tt.name, found, err, tt.want)
			}
			if len(found) > 0 && found[0].File != mine {
				t.Errorf("%s: no file is named: %v", tt.name, found)
			}
		}
	})
}

// line is what a client says and what a good and a bad server answer; nothing is
// said before the greeting. A TLS handshake follows where there is one.
type line struct{ said, good, bad string }

var transcripts = map[string][]line{
	"imap": {
		{"", "* OK ready", "* BYE no"},
		{"a STARTTLS", "a OK begin", "a BAD no"},
		{"b LOGIN", "b OK in", "b NO no"},
		{"c SELECT INBOX", "* 0 EXISTS\r\nc OK read", "c NO no"},
	},
	"pop3": {
		{"", "+OK ready", "-ERR no"},
		{"STLS", "+OK begin", "-ERR no"},
		{"USER", "+OK", "-ERR no"},
		{"PASS", "+OK in", "-ERR no"},
	},
	"sieve": {
		{"", "\"SASL\" \"PLAIN\"\r\nOK \"ready\"", "BYE \"no\""},
		{"STARTTLS", "OK \"begin\"", "NO \"no\""},
		{"", "OK \"secure\"", "BYE \"no\""},
		{"AUTHENTICATE", "OK \"in\"", "NO \"no\""},
		{"LISTSCRIPTS", "OK \"none\"", "NO \"no\""},
	},
	"submission": {
		{"", "220 ready", "421 no"},
		{"EHLO", "250-x\r\n250 y", "502 no"},
		{"STARTTLS", "220 begin", "454 no"},
	},
	"lmtp": {
		{"", "220 ready", "421 no"},
		{"LHLO", "250-x\r\n250 y", "502 no"},
		{"MAIL FROM", "250 ok", "550 no"},
		{"RCPT TO", "250 ok", "451 no"},
	},
}

// TestEveryLineCounts has a server refuse, or hang up, at each line.
func TestEveryLineCounts(t *testing.T) {
	pair := selfSigned(t)
	for protocol, test := range protocolTests {
		lines := transcripts[protocol]
		perform := func(refuseAt, hangUpAt int) error {
			client, server := net.Pipe()
			defer client.Close()
			_ = client.SetDeadline(time.Now().Add(10 * time.Second))
			go answer(server, pair, lines, refuseAt, hangUpAt)
			p := private{Rehearsal: Rehearsal{Effective: dovecot.Settings{"ssl": "required"}}}
			return test(&dialogue{protocol: protocol, conn: client, lines: bufio.NewReader(client)}, p)
		}
		if err := perform(-1, -1); err != nil {
			t.Errorf("%s: %v", protocol, err)
		}
		for i, line := range lines {
			if err := perform(i, -1); err == nil || !strings.Contains(err.Error(), line.bad) {
				t.Errorf("%s: refused at %q: %v", protocol, line.said, err)
			}
			if err := perform(-1, i); err == nil {
				t.Errorf("%s: hung up at %q, and nothing is wrong", protocol, line.said)
			}
		}
	}
}

// answer is a server that follows a transcript.
func answer(conn net.Conn, pair tls.Certificate, lines []line, refuseAt, hangUpAt int) {
	defer func() { conn.Close() }()
	heard := bufio.NewReader(conn)
	for i, line := range lines {
		if line.said != "" {
			if said, err := heard.ReadString('\n'); err != nil || !strings.HasPrefix(said, line.said) {
				return
			}
		}
		switch i {
		case hangUpAt:
			return
		case refuseAt:
			_, _ = conn.Write([]byte(line.bad + "\r\n"))
			return
		}
		_, _ = conn.Write([]byte(line.good + "\r\n"))
		if strings.Contains(line.said, "STARTTLS") || line.said == "STLS" {
			secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}})
			if secure.Handshake() != nil {
				return
			}
			conn, heard = secure, bufio.NewReader(secure)
		}
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	dir := t.TempDir()
	dovecottest.Certify(t, dir, "tls")
	pair, err := tls.LoadX509KeyPair(dir+"/tls.crt", dir+"/tls.key")
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
