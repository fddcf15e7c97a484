package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pidgeon/bench/table"
)

// A way is how a changed file comes into force.
type way struct {
	name  string
	init  string // of inits; empty for pidgeon
	after func(*server) error
}

// ways begin when the file has been renamed into its place.
var ways = []way{
	{"dovecot -F, kill -HUP", "dovecot -F", hangUpMaster},
	{"dovecot -F, doveadm reload", "dovecot -F", func(s *server) error { return s.inside("doveadm", "-c", s.command[len(s.command)-1], "reload") }},
	{"tini, kill -HUP", "tini", hangUpInit},
	{"dumb-init, kill -HUP", "dumb-init", hangUpInit},
	{"consul-template, edit", "consul-template", func(*server) error { return nil }},
	{"pidgeon, edit", "", func(*server) error { return nil }},
	{"pidgeon, edit and kill -HUP", "", hangUpInit},
}

func hangUpMaster(s *server) error { return syscall.Kill(s.master(), syscall.SIGHUP) }
func hangUpInit(s *server) error   { return syscall.Kill(s.pid(), syscall.SIGHUP) }

// editToServed is the time from a changed file to a client that meets what it
// says: a greeting. Of it, the time from Dovecot's "SIGHUP received" on is what
// Dovecot takes; before it comes what pidgeon waits (files settle for 100 ms),
// checks and rehearses.
func (b *bench) editToServed() error {
	var entries []entry
	for _, w := range ways {
		i, row := b.initOf(w)
		row.Name = w.name
		entries = append(entries, entry{row, func() ([]float64, error) { return b.timeEdit(w, i) }})
	}
	rows := interleave(b.rounds, entries)
	fmt.Printf("Edit to served: Dovecot %s; median (range) of %d rounds of %d edits.\n\n", b.dialect, b.rounds, edits)
	table.Print(os.Stdout, []table.Column{{Title: "edit to served ms", Ratio: true}, {Title: "Dovecot's HUP to served ms", Ratio: true}}, rows)
	return nil
}

func (b *bench) initOf(w way) (initProgram, *table.Row) {
	for _, i := range inits {
		if i.name == w.init {
			return i, b.row(i)
		}
	}
	return initProgram{}, &table.Row{}
}

// edits are made one after the other, with a pause: Dovecot takes no reload
// within a second after the last one lightly.
const (
	edits = 3
	pause = 2 * time.Second
)

func (b *bench) timeEdit(w way, i initProgram) ([]float64, error) {
	p, err := b.free.pair()
	if err != nil {
		return nil, err
	}
	s, file := b.edited(w, i, p)
	server, err := b.start(s, p)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	var served, reloaded []float64
	for n := range edits {
		time.Sleep(pause)
		all, part, err := timeOne(server, w, file, fmt.Sprintf("edit%d", n))
		if err != nil {
			return nil, err
		}
		served, reloaded = append(served, milliseconds(all)), append(reloaded, milliseconds(part))
	}
	return []float64{table.Median(served), table.Median(reloaded)}, nil
}

// edited is a server, and the file that is edited.
func (b *bench) edited(w way, i initProgram, p ports) (s spec, file string) {
	if w.init != "" {
		s, file = b.rendered(i, p)
		if w.init == "consul-template" {
			file += ".in"
		}
		return s, file
	}
	_ = os.Mkdir(b.overrides(p), 0o755)
	return spec{
		name: w.name, prepare: "true", command: []string{b.pidgeon()},
		environ: b.environ("performance", p, b.sessions),
	}, filepath.Join(b.overrides(p), "greeting.conf")
}

func timeOne(s *server, w way, file, text string) (all, part time.Duration, err error) {
	before := strings.Count(s.logged(), hup)
	if err := os.WriteFile(file+".new", []byte("login_greeting = "+text+"\n"), 0o644); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := os.Rename(file+".new", file); err != nil {
		return 0, 0, err
	}
	if err := w.after(s); err != nil {
		return 0, 0, err
	}
	if err := s.await("Dovecot got no SIGHUP", func() bool { return strings.Count(s.logged(), hup) > before }); err != nil {
		return 0, 0, err
	}
	hupped := time.Now()
	if err := s.serves(text); err != nil {
		return 0, 0, err
	}
	return time.Since(begin), time.Since(hupped), nil
}

// hup is what Dovecot's master logs when it gets one.
const hup = "SIGHUP received"
