package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// patience is how long anything may take that takes milliseconds on an idle
// machine.
const patience = 30 * time.Second

// awaitGreeting asks for greetings, one after the other, until one contains text.
func awaitGreeting(port int, text string) error {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		line, err := greeting(port)
		if err == nil && strings.HasPrefix(line, "* OK") && strings.Contains(line, text) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("no greeting with %q on port %d within %v: %q, %v", text, port, patience, line, err)
		}
	}
}

func greeting(port int) (string, error) {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	return bufio.NewReader(conn).ReadString('\n')
}

// ports are a server's listeners.
type ports struct{ IMAP, IMAPS int }

// portRange hands out ports that nobody listens on.
type portRange struct{ next, last int }

func (r *portRange) take() (int, error) {
	for ; r.next <= r.last; r.next++ {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(r.next))
		if err == nil {
			l.Close()
			r.next++
			return r.next - 1, nil
		}
	}
	return 0, fmt.Errorf("no port is free up to %d", r.last)
}

func (r *portRange) pair() (p ports, err error) {
	if p.IMAP, err = r.take(); err == nil {
		p.IMAPS, err = r.take()
	}
	return p, err
}
