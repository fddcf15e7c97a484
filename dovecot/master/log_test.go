package master

import (
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"
)

func TestBusy(t *testing.T) {
	m, err := New(exec.Command("true"), "2.4", false, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	say := func(lines int) {
		for range lines {
			fmt.Fprintln(m.stderr, "imap-login: Info: Login: user=<a>")
		}
	}
	busy := func(want bool, when string) {
		t.Helper()
		limit := 20 * time.Second
		if !want {
			limit = 50 * time.Millisecond
		}
		select {
		case <-m.LinesReached():
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
	for m.LinesLogged() < 5 {
		time.Sleep(time.Millisecond)
	}
	m.AlertAt(8)
	say(2)
	busy(false, "7 of 8")
	say(4)
	busy(true, "11 of 8")
	busy(false, "once")
	m.AlertAt(3)
	busy(true, "passed before it was asked for")
	m.AlertAt(13)
	m.AlertAt(19)
	say(2)
	busy(false, "put off")
}
