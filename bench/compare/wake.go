package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pidgeon/bench/load"
)

// keeping is how many idle sessions one process keeps.
type keeping struct {
	name   string
	limits string // an override; empty for pidgeon's own
}

func (k keeping) String() string { return k.name }

var keepings = []keeping{
	{"all-in-one", "client_limit = 20000\n process_limit = 1"},
	{"1000-by-default", "client_limit = 1000\n process_limit = 100"},
	{"pidgeon's-own", ""},
}

const (
	// hibernateSoon has sessions handed over while others wake.
	hibernateSoon = "imap_hibernate_timeout = 5s\n"
	// idling is how long they idle before they are woken, which they are so many times.
	idling = 4500 * time.Millisecond
	wakes  = 4
)

// wakeUps has all idle sessions woken and sent to sleep again, several times.
func (b *bench) wakeUps() error {
	fmt.Printf("sessions: %d\n", b.sessions)
	return b.interleave("Wake", rowsOf(keepings, (*bench).wake))
}

func (b *bench) wake(k keeping) (string, error) {
	s, err := b.ours(k.name, "performance", freePorts())
	if err != nil {
		return "", err
	}
	override := hibernateSoon
	if k.limits != "" {
		override += "service imap-hibernate {\n " + k.limits + "\n}\n"
	}
	if err := os.WriteFile(filepath.Join(b.overrides(s.ports), "keep.conf"), []byte(override), 0o644); err != nil {
		return "", err
	}
	server, err := b.start(s)
	if err != nil {
		return "", err
	}
	defer server.Kill()
	if server.Log.Await("too few inotify instances", settled) {
		return "", server.fault("sessions would not hibernate")
	}
	crowd := &load.Crowd{Port: s.ports.IMAPS, AtOnce: 30}
	defer crowd.Leave()
	crowd.Grow(b.sessions)
	all := crowd.Wake(wakes, idling)
	return fmt.Sprintf("%d woken %d lost %d not-handed-over %.2f woken/s %.6f sec-p99",
		all.Woken, all.Lost, strings.Count(server.Log.All(), "Couldn't hibernate imap client"), float64(all.Woken)/all.Took.Seconds(), all.P99.Seconds()), nil
}
