package master

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
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
			if text != "" {
				conn.Write([]byte(text))
				conn.Close()
			}
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestGreets(t *testing.T) {
	const yes, no, unknown = "greets", "does not", "unknown"
	tests := []struct {
		name     string
		listener Listener
		text     string
		want     string
	}{
		{"IMAP", Listener{Protocol: "imap"}, "* OK ready\r\n", yes},
		{"on all addresses", Listener{Protocol: "imap", Addresses: []string{"*"}}, "* OK ready\r\n", yes},
		{"another protocol", Listener{Protocol: "imap"}, "+OK ready\r\n", no},
		{"turned away", Listener{Protocol: "imap"}, "* BYE\r\n", no},
		{"no line", Listener{Protocol: "pop3"}, "+OK", no},
		{"no TLS", Listener{Protocol: "imap", TLS: true}, "* OK ready\r\n", no},
		{"silence", Listener{Protocol: "imap"}, "", unknown},
		{"a proxy comes first", Listener{Protocol: "imap", HAProxy: true}, "no\r\n", yes},
		{"of a protocol that is not known", Listener{Protocol: "doveadm"}, "no\r\n", yes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			tt.listener.Port = says(t, tt.text)
			err := tt.listener.Greets(ctx)
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
	if err := (Listener{Protocol: "imap", Port: freePort(t)}).Greets(t.Context()); err == nil || errors.Is(err, ErrSilent) {
		t.Errorf("nobody listens: %v", err)
	}
}
