package master

import (
	"bufio"
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// anvil answers one connection in a directory of its own.
func anvil(t *testing.T, answer string, hangUp bool) (baseDir string) {
	t.Helper()
	baseDir, err := os.MkdirTemp("", "anvil") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(baseDir, "anvil"))
	if err != nil {
		t.Fatal(err)
	}
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != "CONNECT-DUMP"; {
		}
		conn.Write([]byte(answer))
		if !hangUp {
			<-over
		}
	}()
	t.Cleanup(func() {
		close(over)
		l.Close()
		<-done
		os.RemoveAll(baseDir)
	})
	return baseDir
}

func TestCountSessions(t *testing.T) {
	const guid = "\t0123456789abcdef0123456789abcdef\t\n"
	for _, tt := range []struct {
		dialect, answer string
		want            map[string]Sessions
	}{
		{"2.3", "\n", map[string]Sessions{}},
		{
			"2.3", "imap/a/127.0.0.1\t71\t3\nimap/b\\t1/::1\t72\t1\nsieve/a/127.0.0.1\t73\t1\nlmtp/a/::1\t74\t1\n\n",
			map[string]Sessions{"imap": {All: 4}, "sieve": {All: 1}, "lmtp": {All: 1}},
		},
		{"2.4", "VERSION\tanvil-server\t2\t0\n\n\n", map[string]Sessions{}},
		{
			"2.4", "VERSION\tanvil-server\t2\t0\nalt\tother\n" +
				"71\ta\timap\t127.0.0.1" + guid + "71\tb\timap\t127.0.0.1" + guid +
				"72\ta\timap-hibernate\t" + guid + "73\t\tmanagesieve\t::1" + guid + "\n",
			map[string]Sessions{"imap": {All: 3}, "sieve": {All: 1}},
		},
	} {
		got, err := (&Process{dialect: tt.dialect}).CountSessions(t.Context(), anvil(t, tt.answer, false))
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%s: %q: got %v (%v), want %v", tt.dialect, tt.answer, got, err, tt.want)
		}
	}
}

// Whatever anvil does, it harms nobody but itself.
func TestCountSessionsOfBrokenAnvil(t *testing.T) {
	for _, tt := range []struct {
		name, dialect, answer string
		hangUp                bool
		want                  string
	}{
		{"mute", "2.3", "", false, "i/o timeout"},
		{"half", "2.4", "VERSION\tanvil-server\t2\t0\n\n71\ta\tim", false, "i/o timeout"},
		{"gone", "2.3", "imap/a/::1\t71\t1\n", true, "it hung up"},
		{"another", "2.3", "VERSION\tanvil-server\t2\t0\n\n", true, "it answers"},
		{"endless", "2.3", strings.Repeat("x", 1<<20), true, "token too long"},
		{"odd", "2.4", "\n\nno\tnumber\n\n", true, "it answers"},
		{"short", "2.4", "\n\n71\n\n", true, "it answers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := (&Process{dialect: tt.dialect}).CountSessions(ctx, anvil(t, tt.answer, tt.hangUp))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := (&Process{dialect: "2.4"}).CountSessions(t.Context(), t.TempDir()); err == nil {
		t.Error("nobody listens, and that is no error")
	}
}

// BenchmarkCountSessions is for a server with 10,000 sessions on 2.4.
func BenchmarkCountSessions(b *testing.B) {
	line := []byte("71\tuser1234\timap\t127.0.0.1\t0123456789abcdef0123456789abcdef\t")
	socket := []byte("   0: 0100007F:03E1 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 812345 1 0000000000000000 20 4 30 10 -1")
	b.ReportAllocs()
	for b.Loop() {
		for range 10_000 {
			if _, _, _, err := parseLogins("2.4", line); err != nil {
				b.Fatal(err)
			}
			if s, ok := parseSocket(socket); !ok || s.inode != 812345 {
				b.Fatal(s)
			}
		}
	}
}
