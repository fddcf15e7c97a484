// Load puts a load on an IMAP server over TLS: it holds sessions of distinct
// users, or logs in and out as fast as it can. It is part of the benchmarks and
// meant for servers on this machine alone.
package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() { os.Exit(run(os.Args[1:])) }

type load struct {
	address  string
	password string
	tls      *tls.Config
	patience time.Duration
}

func run(args []string) int {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	address := flags.String("address", "127.0.0.1:1993", "IMAP over TLS")
	password := flags.String("password", "pass", "of every user")
	hold := flags.Int("hold", 0, "sessions to hold; they stay until a line comes on standard input")
	logins := flags.Duration("logins", 0, "how long to log in and out")
	workers := flags.Int("workers", 8, "connections made at once")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	if host, _, err := net.SplitHostPort(*address); err != nil || !net.ParseIP(host).IsLoopback() {
		fmt.Fprintln(os.Stderr, "load: the address must be a loopback address")
		return 64
	}
	l := load{*address, *password, &tls.Config{InsecureSkipVerify: true, ClientSessionCache: nil}, 30 * time.Second}
	switch {
	case *hold > 0:
		return l.hold(*hold, *workers)
	case *logins > 0:
		return l.logins(*logins, *workers)
	}
	flags.Usage()
	return 64
}

// session is one logged-in connection.
type session struct {
	conn  net.Conn
	lines *bufio.Reader
}

func (l load) open(user string) (*session, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: l.patience}, "tcp", l.address, l.tls)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(l.patience))
	s := &session{conn, bufio.NewReaderSize(conn, 512)}
	if err = s.expect("* OK"); err == nil {
		err = s.ask("a", fmt.Sprintf("LOGIN %s %s", user, l.password))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return s, nil
}

func (s *session) ask(tag, command string) error {
	if _, err := fmt.Fprintf(s.conn, "%s %s\r\n", tag, command); err != nil {
		return err
	}
	return s.expect(tag + " OK")
}

func (s *session) expect(prefix string) error {
	for {
		line, err := s.lines.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, prefix):
			return nil
		case strings.HasPrefix(line, "* BYE"), !strings.HasPrefix(line, "* "):
			return errors.New(strings.TrimSpace(line))
		}
	}
}

func (s *session) alive(patience time.Duration) bool {
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	return s.ask("n", "NOOP") == nil
}

// each calls f for 0 to n-1 from some goroutines at once.
func each(n, workers int, f func(int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}

func (l load) hold(n, workers int) int {
	sessions := make([]*session, n)
	var mu sync.Mutex
	refused := map[string]int{}
	begin := time.Now()
	each(n, workers, func(i int) {
		s, err := l.open(fmt.Sprintf("user%d", i))
		sessions[i] = s
		if err != nil {
			mu.Lock()
			refused[err.Error()]++
			mu.Unlock()
		}
	})
	held := len(slices.DeleteFunc(slices.Clone(sessions), func(s *session) bool { return s == nil }))
	fmt.Printf("held %d of %d in %.1f s %v\n", held, n, time.Since(begin).Seconds(), refused)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	var alive atomic.Int64
	each(n, workers, func(i int) {
		if sessions[i] != nil && sessions[i].alive(l.patience) {
			alive.Add(1)
		}
	})
	fmt.Printf("alive %d\n", alive.Load())
	return 0
}

func (l load) logins(duration time.Duration, workers int) int {
	var mu sync.Mutex
	var took []time.Duration
	var failed atomic.Int64
	end := time.Now().Add(duration)
	each(workers, workers, func(worker int) {
		for i := 0; time.Now().Before(end); i++ {
			begin := time.Now()
			s, err := l.open(fmt.Sprintf("user%d", worker*100+i%100))
			if err != nil {
				failed.Add(1)
				continue
			}
			mu.Lock()
			took = append(took, time.Since(begin))
			mu.Unlock()
			_ = s.ask("z", "LOGOUT")
			s.conn.Close()
		}
	})
	slices.Sort(took)
	if len(took) == 0 {
		fmt.Println("no login succeeded")
		return 1
	}
	fmt.Printf("logins/s %.0f  p50 %v  p99 %v  failed %d\n", float64(len(took))/duration.Seconds(),
		took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), failed.Load())
	return 0
}
