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
	for m.Lines() < 5 {
		time.Sleep(time.Millisecond)
	}
	m.WakeAt(8)
	say(2)
	busy(false, "7 of 8")
	say(4)
	busy(true, "11 of 8")
	busy(false, "once")
	m.WakeAt(3)
	busy(true, "passed before it was asked for")
	m.WakeAt(13)
	m.WakeAt(19)
	say(2)
	busy(false, "put off")
}
