// Load puts a load on an IMAP server over TLS: it holds sessions of distinct
// users, or logs in and out as fast as it can. It is part of the benchmarks and
// meant for servers on this machine alone. What it prints is one JSON object a
// line; bench/compare reads it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

func main() { os.Exit(run(os.Args[1:])) }

// exitUsage is EX_USAGE of sysexits(3).
const exitUsage = 64

func run(args []string) int {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	var c client
	flags.StringVar(&c.address, "address", "127.0.0.1:1993", "IMAP over TLS")
	flags.StringVar(&c.password, "password", "pass", "of every user; they are user0, user1 and so on")
	flags.StringVar(&c.state, "state", idle, "what a held session does: login, select (INBOX) or idle (IDLE on INBOX)")
	flags.DurationVar(&c.patience, "patience", 30*time.Second, "how long any answer may take")
	hold := flags.Int("hold", 0, "sessions to hold; they stay until a line comes on standard input")
	first := flags.Int("first", 0, "number of the first user")
	giveUp := flags.Int("give-up", 24, "refusals in a row after which no more sessions are tried")
	var w waking
	flags.IntVar(&w.rounds, "wake", 0, "how often all held sessions end their IDLE and begin it again, after that line")
	flags.DurationVar(&w.calm, "calm", 4500*time.Millisecond, "how long they idle before each of it")
	logins := flags.Duration("logins", 0, "how long to log in and out")
	users := flags.Int("users", 200, "users that log in and out; each has logged in once before")
	workers := flags.Int("workers", 8, "connections made at once")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if host, _, err := net.SplitHostPort(c.address); err != nil || !net.ParseIP(host).IsLoopback() {
		fmt.Fprintln(os.Stderr, "load: the address must be a loopback address")
		return exitUsage
	}
	switch {
	case c.state != login && c.state != selected && c.state != idle:
		fmt.Fprintln(os.Stderr, "load: -state is login, select or idle")
		return exitUsage
	case w.rounds > 0 && c.state != idle:
		fmt.Fprintln(os.Stderr, "load: only who idles can be woken: leave out -state or -wake")
		return exitUsage
	case *hold > 0:
		return c.hold(crowd{count: *hold, first: *first, workers: *workers, giveUp: *giveUp, waking: w})
	case *logins > 0:
		return c.logins(*logins, *users, *workers)
	}
	flags.Usage()
	return exitUsage
}

func say(what any) { _ = json.NewEncoder(os.Stdout).Encode(what) }

var input = bufio.NewReader(os.Stdin)

// await waits for whoever started this to go on.
func await() { _, _ = input.ReadString('\n') }
