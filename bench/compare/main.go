// Compare measures what pidgeon does beside others: sessions held and their memory,
// logins per second, the time of starts and of changes, and what PID 1 takes. Rows are
// measured in turn, and each round of each is a line of Go's benchmark format, for
// benchstat. tools/bench.sh runs it, and says what it needs.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// bench is a run.
type bench struct {
	fixtures
	root, bin        string
	program, before  string // pidgeon, and an earlier one
	rounds           int
	sessions, users  int
	duration, settle time.Duration
	only             string
}

func main() {
	b := bench{}
	flag.StringVar(&b.root, "root", "", "root file system with Dovecot, made by tools/rootfs.sh")
	flag.StringVar(&b.bin, "bin", "", "directory with pidgeon and, as far as they could be had, the others")
	flag.StringVar(&b.before, "before", "", "an earlier pidgeon, which gets a row beside each of this one's")
	flag.IntVar(&b.rounds, "rounds", 6, "how often each row is measured")
	flag.IntVar(&b.sessions, "sessions", 1000, "sessions asked for, and tried")
	flag.IntVar(&b.users, "users", 0, "users there are, or as many as the sessions take")
	flag.DurationVar(&b.duration, "duration", 10*time.Second, "of a round of logins, or of the watch over an idle PID 1")
	flag.DurationVar(&b.settle, "settle", 2*time.Second, "for sessions to come to rest before memory is read; 3m for hibernation")
	flag.StringVar(&b.only, "only", "", "measure the rows of these names alone, and say more; commas between them")
	flag.StringVar(&b.dialect, "dialect", "", "of the Dovecot in the root file system: 2.3 or 2.4")
	flag.Parse()
	measure, ok := map[string]func(*bench) error{
		"sessions": (*bench).sessionsHeld, "logins": (*bench).loginsPerSecond, "start": (*bench).startToGreeting,
		"edit": (*bench).editToServed, "pid1": (*bench).pidOne, "wake": (*bench).wakeUps, "reloads": (*bench).loginsAcrossReloads,
		"limits": (*bench).ceilingsKept, "proxied": (*bench).proxied,
	}[flag.Arg(0)]
	if !ok || flag.NArg() != 1 || b.root == "" || b.bin == "" {
		fmt.Fprintln(os.Stderr, "usage: compare -root DIR -bin DIR -dialect 2.3|2.4 [-…] sessions|logins|start|edit|pid1|wake|reloads|limits|proxied")
		os.Exit(64) // EX_USAGE of sysexits(3)
	}
	if err := b.run(measure); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func (b *bench) run(measure func(*bench) error) (err error) {
	b.bin, err = filepath.Abs(b.bin)
	if b.before != "" && err == nil {
		b.before, err = filepath.Abs(b.before)
	}
	if err != nil {
		return err
	}
	b.fixtures, err = newFixtures(b.dialect, max(b.users, 2*b.sessions+b.beyond()))
	defer os.RemoveAll(b.dir)
	if err != nil {
		return err
	}
	b.program = b.tool("pidgeon")
	fmt.Println("dovecot:", b.dialect)
	return measure(b)
}
