package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pidgeon/config"
)

// says listens, and writes text to whoever connects; "" is to say nothing.
func says(t *testing.T, text string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if text == "" {
				t.Cleanup(func() { conn.Close() }) // The collector would close one that nobody holds.
				continue
			}
			conn.Write([]byte(text))
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestGreets(t *testing.T) {
	const yes, no, unknown = "greets", "does not", "unknown"
	p := &Process{source: newSource()}
	tests := []struct {
		name     string
		listener config.Listener
		text     string
		want     string
	}{
		{"IMAP", config.Listener{Protocol: "imap"}, "* OK ready\r\n", yes},
		{"on all addresses", config.Listener{Protocol: "imap", Addresses: []string{"*"}}, "* OK ready\r\n", yes},
		{"another protocol", config.Listener{Protocol: "imap"}, "+OK ready\r\n", no},
		{"turned away", config.Listener{Protocol: "imap"}, "* BYE\r\n", no},
		{"no line", config.Listener{Protocol: "pop3"}, "+OK", no},
		{"no TLS", config.Listener{Protocol: "imap", TLS: true}, "* OK ready\r\n", no},
		{"a line without end", config.Listener{Protocol: "imap"}, "* OK " + strings.Repeat("x", 1<<20) + "\r\n", no},
		{"silence", config.Listener{Protocol: "imap"}, "", unknown},
		{"a proxy comes first", config.Listener{Protocol: "imap", HAProxy: true}, "no\r\n", yes},
		{"of a protocol that is not known", config.Listener{Protocol: "doveadm"}, "no\r\n", yes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			tt.listener.Port = says(t, tt.text)
			err := p.Greets(ctx, tt.listener)
			got := yes
			switch {
			case errors.Is(err, ErrSilent):
				got = unknown
			case err != nil:
				got = no
			}
			if got != tt.want {
				t.Errorf("%s: %v", got, err)
			}
		})
	}
	if err := p.Greets(t.Context(), config.Listener{Protocol: "imap", Port: freePort(t)}); err == nil || errors.Is(err, ErrSilent) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestMissing(t *testing.T) {
	there, gone := says(t, ""), freePort(t)
	if refused := MissingListeners(map[string]int{"imap": there}); refused != nil {
		t.Errorf("somebody listens: %v", refused)
	}
	refused := MissingListeners(map[string]int{"imap": there, "pop3": gone, "lmtp": gone})
	want := []string{fmt.Sprintf("nothing listens for lmtp on port %d", gone), fmt.Sprintf("nothing listens for pop3 on port %d", gone)}
	if refused == nil || !refused.Partial || !slices.Equal(refused.Complaints, want) {
		t.Errorf("got %v, want %q", refused, want)
	}
}

// TestOfProbeWithoutGarbage has what every login logs pass.
func TestOfProbeWithoutGarbage(t *testing.T) {
	p := &Process{source: newSource()}
	line := []byte("Nov 27 23:42:20 imap-login: Info: Logged in: user=<user17>, method=PLAIN, rip=127.0.1.18, lip=127.0.0.1, mpid=47, TLS, session=<As0451Zh1ph/AAAB>\n")
	if n := testing.AllocsPerRun(100, func() { p.ofProbe(line) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestOfProbe leaves every line of a client's where it is, whatever it calls itself.
func TestOfProbe(t *testing.T) {
	p := &Process{source: []byte("127.9.8.7")}
	const ours = "user=<>, rip=127.9.8.7, lip=127.0.0.1, secured, session=<zv1znEphOr5/AAAB>\n"
	for line, want := range map[string]bool{
		"Nov 27 23:42:20 imap-login: Info: Login aborted: Connection closed (no auth attempts in 0 secs) (no_auth_attempts): " + ours: true,
		"Nov 27 23:42:20 pop3-login: Info: Disconnected: Connection closed (no auth attempts in 0 secs): " + ours:                     true,
		"Nov 27 23:42:20 lmtp(88): Info: Connect from 127.9.8.7\n":                                                                    true,
		"Nov 27 23:42:20 lmtp(88): Info: Disconnect from 127.9.8.7: Connection closed (state=GREETING)\n":                             true,

		"Nov 27 23:42:20 lmtp(88): Info: Connect from 127.9.8.77\n":                                                                                                                     false,
		"Nov 27 23:42:20 imap-login: Info: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): " + ours:                                                 false,
		"Nov 27 23:42:20 imap-login: Info: Login aborted: x (no auth attempts in 0 secs): user=<(no auth attempts in 0 secs): " + ours:                                                  false,
		"Nov 27 23:42:20 imap-login: Info: Login aborted: x (no auth attempts in 0 secs): user=<>, rip=192.0.2.1, lip=127.9.8.7\n":                                                      false,
		"Nov 27 23:42:20 imap-login: Info: Disconnected (no auth attempts in 0 secs): user=<>, rip=127.9.8.7, lip=127.0.0.1, TLS handshaking: SSL_accept() failed: error:0A, session\n": false,
		"Nov 27 23:42:20 imap(127.9.8.7)<1>: Info: Disconnected\n":                                                                                                                      false,
	} {
		if got := p.ofProbe([]byte(line)); got != want {
			t.Errorf("%v: %s", got, line)
		}
	}
}
