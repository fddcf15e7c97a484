package dovecot

import (
	"fmt"
	"io"
	"testing"
	"time"
)

func TestBusy(t *testing.T) {
	d := &Dovecot{path: "/bin/true"}
	m, err := d.NewMaster("", t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	say := func(lines int) {
		for range lines {
			fmt.Fprintln(m.cmd.Stderr, "imap-login: Info: Login: user=<a>")
		}
	}
	busy := func(want bool, when string) {
		t.Helper()
		limit := 20 * time.Second
		if !want {
			limit = 50 * time.Millisecond
		}
		select {
		case <-m.Busy():
			if !want {
				t.Errorf("%s: busy", when)
			}
		case <-time.After(limit):
			if want {
				t.Errorf("%s: not busy", when)
			}
		}
	}
	say(5)
	busy(false, "nobody asked")
	m.WakeAfter(3)
	say(2)
	busy(false, "two of three")
	say(4)
	busy(true, "six of three")
	busy(false, "once")
	m.WakeAfter(1)
	say(1)
	busy(true, "again")
	m.WakeAfter(2)
	m.WakeAfter(9)
	say(2)
	busy(false, "put off")
}
