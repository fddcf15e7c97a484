package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// way is how a changed file comes into force.
type way struct {
	name  string
	init  string // of inits; empty for pidgeon
	after func(*server) error
}

func (w way) String() string { return w.name }

// ways begin when the file has been renamed into its place.
var ways = []way{
	{"dovecot-F:kill-HUP", bare, hangUpMaster},
	{"dovecot-F:doveadm-reload", bare, reloadByDoveadm},
	{"tini:kill-HUP", "tini", hangUpInit},
	{"dumb-init:kill-HUP", "dumb-init", hangUpInit},
	{"consul-template:edit", "consul-template", nothing},
	{"pidgeon:edit", "", nothing},
	{"pidgeon:edit-and-kill-HUP", "", hangUpInit},
}

func nothing(*server) error        { return nil }
func hangUpMaster(s *server) error { return syscall.Kill(s.Find("dovecot"), syscall.SIGHUP) }
func hangUpInit(s *server) error   { return syscall.Kill(s.PID(), syscall.SIGHUP) }

func reloadByDoveadm(s *server) error {
	conf := s.command[len(s.command)-1]
	if out, err := s.Enter("doveadm", "-c", conf, "reload").CombinedOutput(); err != nil {
		return fmt.Errorf("doveadm reload: %w: %s", err, out)
	}
	return nil
}

// editToServed is the time from a changed file to a client that meets what it
// says: a greeting. Of it, the time from Dovecot's "SIGHUP received" on is what
// Dovecot takes; before it comes what pidgeon waits (files settle for 100 ms),
// checks and rehearses.
func (b *bench) editToServed() error {
	return b.interleave("Edit", rowsOf(ways, (*bench).timeEdit))
}

// edits are made one after the other, with a pause: Dovecot takes no reload
// within a second after the last one lightly. The one in the middle counts.
const (
	edits = 3
	pause = 2 * time.Second
)

// edit is how long one took until it was served, and of that the part from Dovecot's
// SIGHUP on.
type edit struct{ whole, hup time.Duration }

func (b *bench) timeEdit(w way) (string, error) {
	server, file, err := b.edited(w)
	if err != nil {
		return "", err
	}
	defer server.Kill()
	var all []edit
	for n := range edits {
		time.Sleep(pause)
		one, err := timeOne(server, w, file, fmt.Sprintf("edit%d", n))
		if err != nil {
			return "", err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b edit) int { return cmp.Compare(a.whole, b.whole) })
	middle := all[edits/2]
	return fmt.Sprintf("%d ns/op %d ns-from-HUP/op", middle.whole, middle.hup), nil
}

// edited is a server that runs, and the file of it that is edited.
func (b *bench) edited(w way) (_ *server, file string, err error) {
	var s spec
	if i := slices.IndexFunc(inits, func(i initProgram) bool { return i.name == w.init }); i >= 0 {
		s, file, err = b.rendered(inits[i])
	} else {
		s, err = b.ours(w.name, "performance", freePorts())
		file = filepath.Join(b.overrides(s.ports), "greeting.conf")
	}
	if err != nil {
		return nil, "", err
	}
	if w.init == "consul-template" {
		file += ".in"
	}
	server, err := b.start(s)
	return server, file, err
}

func timeOne(s *server, w way, file, text string) (e edit, err error) {
	s.Log.Mark()
	if err := os.WriteFile(file+".new", []byte("login_greeting = "+text+"\n"), 0o644); err != nil {
		return e, err
	}
	begin := time.Now()
	if err := os.Rename(file+".new", file); err != nil {
		return e, err
	}
	if err := w.after(s); err != nil {
		return e, err
	}
	if !s.Log.Await(hup, patience) {
		return e, s.fault("Dovecot got no SIGHUP")
	}
	if err := s.serves(text); err != nil {
		return e, err
	}
	return edit{time.Since(begin), time.Since(s.Log.Matches(hup)[0].At)}, nil
}

// hup is what Dovecot's master logs when it gets one.
const hup = "SIGHUP received"
