package command

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot/master"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/shard"
)

const (
	atOnce       = 4                // mailboxes that are copied
	rounds       = 5                // of copies, at most, before what is left is copied while the user is held
	shortRound   = 5 * time.Second  // a copy with so little left to do
	lastPatience = 30 * time.Second // for what was accepted before the user was held
)

// mover moves mail from this backend to another. Its only state is BACKEND_USERS: a user that
// is held there is copied a last time, and then belongs to the other backend. Every step
// before that can be repeated.
type mover struct {
	Call
	settings settings.Settings
	of       string // a user or shard:63
	target   string
	replace  bool     // mail that the other backend alone has is removed there
	lock     *os.File // which doveadm inherits: what a killed one has left running keeps others waiting
}

// Move moves the mail of a user or a shard to another backend.
func Move(c Call) int {
	abort, replace := slices.Contains(c.Args, "--abort"), slices.Contains(c.Args, "--replace")
	args := slices.DeleteFunc(slices.Clone(c.Args), func(arg string) bool { return arg == "--abort" || arg == "--replace" })
	if want := map[bool]int{true: 1, false: 2}[abort]; len(args) != want || abort && replace || !settings.IsPlacementName(strings.ToLower(args[0])) {
		return c.Usage("move takes a user or shard:63, and a backend; or a user and --abort")
	}
	m := mover{Call: c, of: strings.ToLower(args[0]), target: args[len(args)-1], replace: replace}
	return c.exit(m.run(context.Background(), abort))
}

func (m mover) run(ctx context.Context, abort bool) (err error) {
	if m.settings, err = settings.Load(m.Environ); err != nil {
		return err
	}
	s := m.settings
	if !s.Backend() || s.DoveadmPort == 0 {
		return errors.New("this is no backend that mail can be moved from: BACKEND_NAME and DOVEADM_PORT are not set")
	}
	if s.BackendsName != "" {
		return errors.New("BACKENDS begins with dns:, and who has an address today may have another tomorrow: mail is moved between backends that have names")
	}
	if m.lock, err = os.OpenFile(filepath.Join(string(s.StateDir), "move.lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	defer m.lock.Close()
	if syscall.Flock(int(m.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		m.say("waiting for another move from this backend to end")
		if err := syscall.Flock(int(m.lock.Fd()), syscall.LOCK_EX); err != nil {
			return err
		}
	}
	if m.settings, err = settings.Load(m.Environ); err != nil {
		return err
	}
	here, place := string(s.BackendName), m.settings.PlacementOf(m.of)
	switch {
	case abort && place.Host == here:
		return errors.Join(m.place(settings.Placement{Name: m.of, Host: here}), m.lock.Truncate(0))
	case place.Host == m.target && !place.Held:
		m.say("the mail of %s is at %s", m.of, m.target)
		return m.lock.Truncate(0)
	case place.Host != here:
		return fmt.Errorf("the mail of %s is at %s: ask there", m.of, place.Host)
	case !slices.Contains(s.Backends, m.target) || m.target == here:
		return fmt.Errorf("%s is no other one of BACKENDS", m.target)
	}
	if !place.Held {
		if err := m.begin(ctx); err != nil {
			return err
		}
		if err := m.copyWhileServed(ctx); err != nil {
			return err
		}
		if err := m.place(settings.Placement{Name: m.of, Host: here, Held: true}); err != nil {
			return err
		}
	}
	if err := m.finish(ctx); err != nil {
		return fmt.Errorf("%w; %s is held: ask again, or end it with --abort", err, m.of)
	}
	m.say("the mail of %s is at %s; the copy here is no longer used", m.of, m.target)
	return m.lock.Truncate(0)
}

// begin checks that the other backend has no mail that is missing here, because a copy would
// remove it. It notes that the move has begun, because an interrupted one has left a copy
// there, of which the user may have removed mail here since.
func (m mover) begin(ctx context.Context) error {
	this := m.of + " " + m.target
	begun := make([]byte, len(this)+1)
	if n, _ := m.lock.ReadAt(begun, 0); string(begun[:n]) == this || m.replace {
		return nil
	}
	var (
		mu   sync.Mutex
		only []string
	)
	if _, err := m.each(ctx, func(user string) error {
		n, err := m.onlyThere(ctx, user)
		if n > 0 {
			mu.Lock()
			defer mu.Unlock()
			only = append(only, fmt.Sprintf("%d of %s", n, user))
		}
		return err
	}); err != nil {
		return fmt.Errorf("asking %s what it has: %w", m.target, err)
	}
	if len(only) > 0 {
		slices.Sort(only)
		return fmt.Errorf("%s has messages that are not here, and would be removed: %s. "+
			"Bring them here first, with doveadm sync -1 -R -u USER tcps:%s:%d; or, if they are left from an earlier move, ask again with --replace",
			m.target, strings.Join(only, ", "), m.target, m.settings.DoveadmPort)
	}
	if err := m.lock.Truncate(0); err != nil {
		return err
	}
	_, err := m.lock.WriteAt([]byte(this), 0)
	return err
}

// onlyThere counts a user's messages that only the other backend has.
func (m mover) onlyThere(ctx context.Context, user string) (n int, err error) {
	there, err := m.guidsThere(ctx, user)
	if err != nil || len(there) == 0 {
		return 0, err
	}
	out, err := m.doveadm(ctx, "fetch", "-u", user, "guid", "all")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		delete(there, strings.TrimSpace(strings.TrimPrefix(line, "guid: ")))
	}
	return len(there), nil
}

// guidsThere are the GUIDs of a user's messages at the other backend, read over doveadm's
// protocol (2.3.19, 2.4.1: client-connection-tcp.c), because no command asks over TLS.
func (m mover) guidsThere(ctx context.Context, user string) (map[string]bool, error) {
	s, roots := m.settings, x509.NewCertPool()
	vouching, err := os.ReadFile(string(s.BackendCAPath))
	if err != nil {
		return nil, err
	}
	roots.AppendCertsFromPEM(vouching)
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: lastPatience}, Config: &tls.Config{RootCAs: roots, ServerName: m.target}}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(m.target, strconv.Itoa(int(s.DoveadmPort))))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	login := base64.StdEncoding.EncodeToString([]byte("\x00doveadm\x00" + string(s.DoveadmPassword)))
	if _, err := fmt.Fprintf(conn, "VERSION\tdoveadm-server\t1\t0\nPLAIN\t%s\n\t%s\tfetch\tguid\tall\n", login, user); err != nil {
		return nil, err
	}
	guids := map[string]bool{}
	answered := false
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s answers with no list of messages: %w", m.target, err)
		case strings.HasPrefix(line, "VERSION\t"):
		case line == "+" && answered:
			return guids, nil
		case line == "+":
			answered = true
		case strings.HasPrefix(line, "-") && answered:
			return nil, fmt.Errorf("%s does not list the messages of %s: %s", m.target, user, line)
		case !strings.HasPrefix(line, "-"): // it says first that it wants a password
			for guid := range strings.FieldsSeq(line) {
				guids[guid] = true
			}
		}
	}
}

func (m mover) say(format string, args ...any) {
	fmt.Fprintf(m.Stdout, format+"\n", args...)
}

// copyWhileServed copies until little is left to do.
func (m mover) copyWhileServed(ctx context.Context) error {
	for round := range rounds {
		begun := time.Now()
		n, err := m.copyAll(ctx, false)
		if err != nil {
			return err
		}
		took := time.Since(begun)
		m.say("copied %d mailboxes in %v", n, took.Round(time.Millisecond))
		if took < shortRound && round > 0 {
			break
		}
	}
	return nil
}

// finish copies the rest of the held users, and has the other backend serve them.
func (m mover) finish(ctx context.Context) error {
	m.say("holding %s", m.of)
	for !m.refused(ctx) {
		time.Sleep(100 * time.Millisecond)
	}
	if err := m.endSessions(ctx); err != nil {
		return err
	}
	n, err := m.copyAll(ctx, true)
	if err != nil {
		return err
	}
	m.say("copied what was left of %d mailboxes", n)
	return m.place(settings.Placement{Name: m.of, Host: m.target})
}

// users are the users whose mail is moved.
func (m mover) users(ctx context.Context) ([]string, error) {
	key, is := strings.CutPrefix(m.of, "shard:")
	if !is {
		return []string{m.of}, nil
	}
	out, err := m.doveadm(ctx, "user", "*")
	if err != nil {
		return nil, err
	}
	var users []string
	for name := range strings.FieldsSeq(strings.ToLower(out)) {
		_, named := m.settings.BackendUsers.Find(name) // and who is no user is a line about foreign ones
		if !named && settings.IsPlacementName(name) && shard.Of(name) == shard.Number(key) {
			users = append(users, name)
		}
	}
	return users, nil
}

// refused reports whether this backend has stopped serving the moved users. It makes up a
// user for a shard, which may have none.
func (m mover) refused(ctx context.Context) bool {
	user := m.of
	if key, is := strings.CutPrefix(m.of, "shard:"); is {
		for i := 0; user == m.of || shard.Of(user) != shard.Number(key); i++ {
			user = "x" + strconv.Itoa(i)
		}
	}
	_, err := m.doveadm(ctx, "user", "-x", "service="+m.settings.Protocols[0], user)
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == exitTempFail
}

// copyAll makes the mailboxes at the other backend equal to those here. Copies of users that
// are served may be behind; the final ones may not.
func (m mover) copyAll(ctx context.Context, finally bool) (int, error) {
	return m.each(ctx, func(user string) error {
		if err := m.copy(ctx, user, finally); err != nil {
			return fmt.Errorf("copying the mail of %s: %w", user, err)
		}
		return nil
	})
}

// each calls a function for each moved user, for some at once, and counts them.
func (m mover) each(ctx context.Context, work func(user string) error) (int, error) {
	users, err := m.users(ctx)
	if err != nil {
		return 0, err
	}
	var (
		mu     sync.Mutex
		all    sync.WaitGroup
		faults []error
		next   = make(chan string)
	)
	for range min(atOnce, len(users)) {
		all.Go(func() {
			for user := range next {
				if err := work(user); err != nil {
					mu.Lock()
					faults = append(faults, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, user := range users {
		next <- user
	}
	close(next)
	all.Wait()
	return len(users), errors.Join(faults...)
}

// Exit codes of doveadm (sysexits.h; 2 is doveadm-sync's own: there are changes left).
const (
	exitChanged  = 2
	exitTempFail = 75
)

func (m mover) copy(ctx context.Context, user string, finally bool) error {
	there := fmt.Sprintf("tcps:%s:%d", m.target, m.settings.DoveadmPort)
	for try := 0; ; try++ {
		_, err := m.doveadm(ctx, "backup", "-u", user, there)
		exit, ok := errors.AsType[*exec.ExitError](err)
		changed := ok && exit.ExitCode() == exitChanged
		if err == nil || changed && !finally {
			return nil
		}
		// It fails for an INBOX with other mail under the same UIDs, and succeeds at the
		// second try (2.4.1). It fails for one with another GUID, until sync has made them
		// one, at its second try too (2.3.13).
		switch {
		case !changed && try > 2 || try == rounds:
			return err
		case !changed && try > 0:
			_, _ = m.doveadm(ctx, "sync", "-1", "-u", user, there)
		}
	}
}

// endSessions ends the sessions of the moved users, and deliveries that have begun.
func (m mover) endSessions(ctx context.Context) error {
	users, err := m.users(ctx)
	if err != nil {
		return err
	}
	old := m.deliveries()
	deadline := time.Now().Add(lastPatience)
	for {
		live := 0
		who, err := m.doveadm(ctx, "who", "-1")
		if err != nil {
			return err
		}
		for line := range strings.Lines(who) {
			user, _, _ := strings.Cut(line, " ")
			user, _, _ = strings.Cut(strings.TrimSpace(user), "\t")
			if slices.Contains(users, strings.ToLower(user)) {
				live++
				_, _ = m.doveadm(ctx, "kick", user)
				_, _ = m.doveadm(ctx, "kick", "-f", user) // 2.3, where others share the process; means nothing in 2.4
			}
		}
		left := slices.DeleteFunc(m.deliveries(), func(pid int) bool { return !slices.Contains(old, pid) })
		switch {
		case live == 0 && len(left) == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d sessions and %d processes of LMTP have not ended within %v", live, len(left), lastPatience)
		}
		// A transfer agent may keep its connection open for minutes. It delivers interrupted
		// mail again: TestMove finds none lost or doubled.
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// deliveries are the processes of LMTP, those of before a reload included.
func (m mover) deliveries() []int {
	text, _ := os.ReadFile(filepath.Join(string(m.settings.RunDir), container.MasterPIDFile))
	pid, _ := strconv.Atoi(string(text))
	return master.Children(pid, "lmtp")
}

// doveadm runs doveadm with the running configuration.
func (m mover) doveadm(ctx context.Context, args ...string) (string, error) {
	conf := filepath.Join(publish.Current(string(m.settings.RunDir)), config.Main)
	cmd := exec.CommandContext(ctx, "doveadm", append([]string{"-c", conf}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.ExtraFiles = []*os.File{m.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("doveadm %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return out.String(), err
}

// place writes a placement into the file of BACKEND_USERS, or asks the operator to do so if
// it is not writable.
func (m *mover) place(p settings.Placement) error {
	s, err := settings.Load(m.Environ)
	if err != nil {
		return err
	}
	path := s.Environ["BACKEND_USERS_FILE"]
	if err = rewrite(path, func(text string) string { return s.WithPlacement(text, p) }); err == nil {
		m.settings, err = settings.Load(m.Environ)
		return err
	}
	m.say("BACKEND_USERS cannot be written from here (%v).\nHave it say %s, here and everywhere else.", err, p)
	for {
		if m.settings, err = settings.Load(m.Environ); err == nil && m.settings.PlacementOf(p.Name) == p {
			return nil
		}
		time.Sleep(time.Second)
	}
}

// rewrite replaces a file by a rename, so that no reader finds half of the users.
func rewrite(path string, change func(string) string) error {
	if path == "" {
		return errors.New("BACKEND_USERS_FILE is not set")
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(change(string(text))), 0o600)
}
