package master

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"pidgeon/config"
)

// anvilPatience bounds the conversation. 250 sessions took less than a
// millisecond; an anvil that hangs must hold up nobody.
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

// logins are sessions that one process serves.
type logins struct {
	protocol string
	pid, n   int
}

// eachLogin asks anvil who is logged in.
func eachLogin(ctx context.Context, dialect, baseDir string, yield func(logins)) error {
	ctx, cancel := context.WithTimeout(ctx, anvilPatience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(baseDir, "anvil"))
	if err != nil {
		return fmt.Errorf("asking anvil: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte(anvilQuestions[dialect])); err != nil {
		return fmt.Errorf("asking anvil: %w", err)
	}
	lines := bufio.NewScanner(conn)
	for skip := anvilPreamble[dialect]; lines.Scan(); skip-- {
		if skip > 0 {
			continue
		}
		if len(lines.Bytes()) == 0 {
			return nil
		}
		l, err := parseLogins(dialect, lines.Bytes())
		if err != nil {
			return err
		}
		yield(l)
	}
	if lines.Err() == nil {
		return errors.New("asking anvil: it hung up")
	}
	return fmt.Errorf("asking anvil: %w", lines.Err())
}

// parseLogins reads "imap/USER/ADDRESS PID N" (2.3: a line for each process and
// user) or "PID USER imap ADDRESS …" (2.4: a line for each session); tabs divide,
// and are escaped in names.
func parseLogins(dialect string, line []byte) (logins, error) {
	var fields [4][]byte
	n := 0
	for field := range bytes.SplitSeq(line, []byte("\t")) {
		if fields[n] = field; n == len(fields)-1 {
			break
		}
		n++
	}
	service, pid, count := fields[2], fields[0], []byte("1")
	if dialect == "2.3" {
		service, _, _ = bytes.Cut(fields[0], []byte("/"))
		pid, count = fields[1], fields[2]
	}
	l := logins{protocol: config.ProtocolServed(string(service))}
	var err, err2 error
	l.pid, err = strconv.Atoi(string(pid))
	l.n, err2 = strconv.Atoi(string(count))
	if err != nil || err2 != nil || l.protocol == "" {
		return l, fmt.Errorf("asking anvil: it answers %q", line)
	}
	return l, nil
}
