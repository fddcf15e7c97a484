package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func play(role string) int {
	role, arg, _ := strings.Cut(role, " ")
	switch role {
	case "print":
		return printSignals()
	case "inherit":
		return printInherited()
	case "unread":
		return writeUnread()
	case "files":
		return raiseFiles(arg)
	case "terminal":
		return onTerminal(arg)
	}
	return 99
}

// printSignals prints each signal it gets and exits with 7 on TERM.
func printSignals() int {
	c := make(chan os.Signal, 64)
	signal.Notify(c, append(passed(), realTime()...)...)
	fmt.Println("ready")
	for sig := range c {
		fmt.Println(int(sig.(unix.Signal)))
		if sig == unix.SIGTERM {
			return 7
		}
	}
	return 1
}

// printInherited shows which signals a child of ours starts with, then the
// first one of HUP and USR1 that arrives here.
func printInherited() int {
	c := make(chan os.Signal, 2)
	Notify(c)
	child := exec.Command("grep", "-E", "SigIgn|SigBlk", "/proc/self/status")
	child.Stdout = os.Stdout
	if child.Run() != nil {
		return 1
	}
	_ = unix.Kill(os.Getpid(), unix.SIGHUP)
	_ = unix.Kill(os.Getpid(), unix.SIGUSR1)
	fmt.Println(int((<-c).(unix.Signal)))
	return 0
}

// writeUnread exits with 9 if it outlives a write that nobody reads.
func writeUnread() int {
	Notify(make(chan os.Signal, 1))
	for range 10 {
		if _, err := fmt.Println("unread"); err == nil {
			return 1
		}
	}
	return 9
}

// raiseFiles prints the limit it is told of, and the one its child gets.
func raiseFiles(want string) int {
	n, _ := strconv.ParseUint(want, 10, 64)
	soft, err := RaiseFiles(n)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(soft)
	child := exec.Command("/bin/sh", "-c", "ulimit -n")
	child.Stdout = os.Stdout
	if child.Run() != nil {
		return 1
	}
	return 0
}

// onTerminal runs script as main child and exits as it does, or with 98 if a
// signal came our way.
func onTerminal(script string) int {
	s, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		return 97
	}
	defer s.Close()
	c := make(chan os.Signal, 8)
	Notify(c)
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	code := s.Foreground(cmd, nil, time.Minute)
	if len(c) > 0 {
		return 98
	}
	return code
}
