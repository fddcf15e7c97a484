package dovecot_test

import (
	"slices"
	"testing"

	"pidgeon/dovecot"
)

func TestSockets(t *testing.T) {
	for setting, want := range map[string][]dovecot.Socket{
		"service/auth/unix_listener//tmp/x/mode":        {{Service: "auth", Kind: "unix_listener", Name: "/tmp/x"}},
		"service/log/fifo_listener//tmp/a/b/user":       {{Service: "log", Kind: "fifo_listener", Name: "/tmp/a/b"}},
		"service/auth/unix_listener/auth-userdb/mode":   {{Service: "auth", Kind: "unix_listener", Name: "auth-userdb"}},
		"service/auth/unix_listener//tmp/x/":            {{Service: "auth", Kind: "unix_listener", Name: "/tmp/x"}},
		"service/imap-login/inet_listener/my imap/port": {{Service: "imap-login", Kind: dovecot.Inet, Name: "my imap"}},
		"service/imap-login/process_limit":              nil,
		"passdb/driver":                                 nil,
	} {
		if got := (dovecot.Settings{setting: "1"}).Sockets(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", setting, got, want)
		}
		for _, s := range want {
			if name := s.Setting("port"); s.Kind == dovecot.Inet && name != setting {
				t.Errorf("%s: called %s", setting, name)
			}
		}
	}
}
