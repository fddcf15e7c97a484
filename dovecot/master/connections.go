package master

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
)

// listening returns the TCP ports with a listener in this network namespace. It does not
// connect, because a connection takes a place from a client, and fails when all are taken.
func listening() (map[int]bool, error) {
	ports := map[int]bool{}
	err := eachSocket(tables, func(s socket) {
		if s.state == stateListen {
			ports[s.port] = true
		}
	})
	return ports, err
}

// MissingListeners names the listeners, by their ports, that nobody listens for though a
// reload was carried out. It is nil if there are none, or /proc/net cannot be read.
func MissingListeners(listeners map[string]int) *Refused {
	there, err := listening()
	if err != nil {
		return nil
	}
	refused := &Refused{Partial: true}
	for _, name := range slices.Sorted(maps.Keys(listeners)) {
		if port := listeners[name]; !there[port] {
			refused.Complaints = append(refused.Complaints, fmt.Sprintf("nothing listens for %s on port %d", name, port))
		}
	}
	if len(refused.Complaints) == 0 {
		return nil
	}
	return refused
}

// CountConnections counts the open connections to TCP ports, logged in or not: each has a
// place in a login service or, without TLS, in the service of its session. It reads the
// kernel's table, because Dovecot lists only those that are logged in, and the owners of
// descriptors are hidden without CAP_SYS_PTRACE. Connections without an inode have no place:
// they are not accepted yet, or closed by Dovecot.
//
// The kernel returns its table in parts, and a socket may be in two of them (seen on a busy
// host), so sockets are told apart by their inodes.
func CountConnections(ports map[int]bool) (map[int]int, error) {
	counts, seen := map[int]int{}, map[uint64]bool{}
	err := eachSocket(tables, func(s socket) {
		held := s.inode != 0 && (s.state == stateEstablished || s.state == stateCloseWait)
		if held && ports[s.port] && !seen[s.inode] {
			counts[s.port]++
			seen[s.inode] = true
		}
	})
	return counts, err
}

// States of a socket (include/net/tcp_states.h).
const (
	stateEstablished = 1
	stateCloseWait   = 8 // the client has gone, and Dovecot has not noticed
	stateListen      = 10
)

// socket is a line of /proc/net/tcp.
type socket struct {
	port, state int
	inode       uint64 // 0 if no process holds it
}

// tables are those of this network namespace; without IPv6 the second is missing.
var tables = []string{"/proc/net/tcp", "/proc/net/tcp6"}

func eachSocket(tables []string, yield func(socket)) error {
	for _, table := range tables {
		f, err := os.Open(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading TCP sockets: %w", err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if s, ok := parseSocket(lines.Bytes()); ok {
				yield(s)
			}
		}
		f.Close()
		if err := lines.Err(); err != nil {
			return fmt.Errorf("reading TCP sockets: %w", err)
		}
	}
	return nil
}

// parseSocket reads a line like "  0: 0100007F:0CEA 00000000:0000 0A … INODE …";
// the inode is the tenth field (proc(5)). It makes no garbage, because there may be tens of
// thousands of lines.
func parseSocket(line []byte) (s socket, ok bool) {
	i := 0
	for field := range bytes.FieldsSeq(line) {
		var n uint64
		var err error
		switch i {
		case 1:
			_, hex, _ := bytes.Cut(field, []byte(":"))
			n, err = strconv.ParseUint(string(hex), 16, 16)
			s.port = int(n)
		case 3:
			n, err = strconv.ParseUint(string(field), 16, 8)
			s.state, ok = int(n), err == nil
		case 9:
			s.inode, _ = strconv.ParseUint(string(field), 10, 64)
			return s, ok
		}
		if err != nil {
			return s, false
		}
		i++
	}
	return s, ok
}
