package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pidgeon/bench/table"
	"pidgeon/limits"
)

// A keeping is how many idle sessions one process keeps.
type keeping struct {
	name   string
	limits string // an override; empty for pidgeon's own
}

var keepings = []keeping{
	{"all in one", "client_limit = 20000\n process_limit = 1"},
	{"1000, Dovecot's default", "client_limit = 1000\n process_limit = 100"},
	{"pidgeon's own", ""},
}

// hibernateSoon has sessions handed over while others wake.
const hibernateSoon = "imap_hibernate_timeout = 5s\n"

var wakeColumns = []table.Column{
	{Title: "woken"},
	{Title: "lost"},
	{Title: "not handed over"},
	{Title: "woken/s", Ratio: true},
	{Title: "p99 ms"},
}

// wakes is the rounds of waking in one measurement.
const wakes = 4

// wakeUps has all idle sessions woken and sent to sleep again, several times.
func (b *bench) wakeUps() error {
	if have := limits.Read().Inotify; have > 0 && have < b.sessions+b.beyond() {
		return fmt.Errorf("%d inotify instances, with which %d sessions do not hibernate: sysctl -w fs.inotify.max_user_instances=%d", have, b.sessions, 2*b.sessions)
	}
	var entries []entry
	for _, k := range keepings {
		entries = append(entries, entry{&table.Row{Name: k.name}, func() ([]float64, error) { return b.wake(k) }})
	}
	rows := interleave(b.rounds, entries)
	fmt.Printf("Wake-ups: Dovecot %s, %d idle sessions, woken %d times; median (range) of %d rounds.\n\n", b.dialect, b.sessions, wakes, b.rounds)
	table.Print(os.Stdout, wakeColumns, rows)
	return nil
}

func (b *bench) wake(k keeping) ([]float64, error) {
	p, err := b.free.pair()
	if err != nil {
		return nil, err
	}
	s, err := b.spec(configuration{name: k.name, mode: "performance"}, p, b.sessions)
	if err != nil {
		return nil, err
	}
	override := hibernateSoon
	if k.limits != "" {
		override += "service imap-hibernate {\n " + k.limits + "\n}\n"
	}
	if err := os.WriteFile(filepath.Join(b.overrides(p), "keep.conf"), []byte(override), 0o644); err != nil {
		return nil, err
	}
	server, err := b.start(s, p)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	l, err := b.load(p, "-hold", strconv.Itoa(b.sessions), "-wake", strconv.Itoa(wakes), "-workers", "30")
	if err != nil {
		return nil, err
	}
	defer l.end()
	var held struct {
		Held int `json:"held"`
	}
	var woken struct {
		Woken   int     `json:"woken"`
		Lost    int     `json:"lost"`
		P99     float64 `json:"p99_ms"`
		Seconds float64 `json:"seconds"`
	}
	if err := l.hear(&held); err != nil {
		return nil, err
	}
	l.say()
	if err := l.hear(&woken); err != nil {
		return nil, err
	}
	return []float64{
		float64(woken.Woken), float64(woken.Lost), float64(strings.Count(server.logged(), "Couldn't hibernate imap client")),
		float64(woken.Woken) / woken.Seconds, woken.P99,
	}, nil
}
