package master

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"pidgeon/config"
)

// Sessions are numbers of sessions of one protocol.
type Sessions struct {
	All   int
	Older int // of these, those that generations before the last reload serve
}

// CountSessions counts the sessions by protocol, of all generations, because a reload keeps
// anvil. It does not count processes (measured with 200 sessions: 204 imap processes in
// performance mode, as some are started ahead); anvil had 200, before and after a reload, and
// the right number at once when some ended.
//
// Older are sessions in processes from before the reload. A session that hibernates or wakes
// after it moves to a process of the new generation, and is no longer older, though its login
// process stays (measured: 139 of 1000 that were about to hibernate). So older may be too low,
// and never too high.
//
// Connections that have not logged in hold places too: see CountConnections.
func (p *Process) CountSessions(ctx context.Context, baseDir string) (map[string]Sessions, error) {
	isOlder := p.olderThanReload()
	counts := map[string]Sessions{}
	ctx, cancel := context.WithTimeout(ctx, anvilPatience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(baseDir, "anvil"))
	if err != nil {
		return nil, fmt.Errorf("asking anvil: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte(anvilQuestions[p.dialect])); err != nil {
		return nil, fmt.Errorf("asking anvil: %w", err)
	}
	lines := bufio.NewScanner(conn)
	for skip := anvilPreamble[p.dialect]; lines.Scan(); skip-- {
		if skip > 0 {
			continue
		}
		if len(lines.Bytes()) == 0 {
			return counts, nil
		}
		protocol, pid, n, err := parseLogins(p.dialect, lines.Bytes())
		if err != nil {
			return nil, err
		}
		c := counts[protocol]
		c.All += n
		if isOlder(pid) {
			c.Older += n
		}
		counts[protocol] = c
	}
	return nil, fmt.Errorf("asking anvil: %w", cmp.Or(lines.Err(), errHungUp))
}

var errHungUp = errors.New("it hung up")

// IsSession reports whether a process of that name serves a logged-in user. On
// SIGTERM it says BYE, through a login process if the session has TLS, so that one
// has to live a little longer.
func IsSession(name string) bool {
	return slices.ContainsFunc(config.Protocols(), func(p config.Protocol) bool { return cmp.Or(p.Session, p.Login) == name })
}

// anvilPatience bounds the conversation, because an anvil that hangs must not block; 250
// sessions took less than a millisecond.
const anvilPatience = time.Second

// anvilQuestions are what `doveadm who` asks (2.3.19: src/doveadm/doveadm-who.c;
// 2.4.1: the same). The empty line of 2.4 stands for a service name: a client
// that gives one is answered through a multiplexed stream.
var anvilQuestions = map[string]string{
	"2.3": "VERSION\tanvil\t1\t0\nCONNECT-DUMP\n",
	"2.4": "VERSION\tanvil-client\t2\t0\n\nCONNECT-DUMP\n",
}

// anvilPreamble is how many lines come before the sessions: in 2.4 the version
// and the names of further user names, which may be none.
var anvilPreamble = map[string]int{"2.4": 2}

// parseLogins reads how many sessions one process serves: "imap/USER/ADDRESS PID N"
// (2.3: a line for each process and user) or "PID USER imap ADDRESS …" (2.4: a line for
// each session); tabs divide, and are escaped in names.
func parseLogins(dialect string, line []byte) (protocol string, process, n int, err error) {
	var fields [4][]byte
	copy(fields[:], bytes.SplitN(line, []byte("\t"), len(fields)))
	service, pid, count := fields[2], fields[0], []byte("1")
	if dialect == "2.3" {
		service, _, _ = bytes.Cut(fields[0], []byte("/"))
		pid, count = fields[1], fields[2]
	}
	protocol = config.ProtocolOfService(string(service))
	process, err = strconv.Atoi(string(pid))
	n, err2 := strconv.Atoi(string(count))
	if err != nil || err2 != nil || protocol == "" {
		err = fmt.Errorf("asking anvil: it answers %q", line)
	}
	return protocol, process, n, err
}
