package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pidgeon/shard"
	"pidgeon/tests/pidgeontest"
)

// delivering hands over numbered messages for a user as a transfer agent does: over one
// connection as long as that is there, and again what was not taken, until standard input
// ends. It prints how many there were.
const delivering = `
import itertools, select, smtplib, sys, time
port, user = sys.argv[1:]
c = None
for i in itertools.count():
    while True:
        try:
            if c is None:
                c = smtplib.LMTP('127.0.0.1', int(port), timeout=20)
            c.sendmail('a@example.org', [user], f'Message-ID: <{i}@test>\r\nSubject: x\r\n\r\nx\r\n')
            break
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as e:
            code = e.smtp_code if isinstance(e, smtplib.SMTPResponseException) else e.recipients[user][0]
            if code >= 500:
                print('bounced', i, e); sys.exit(1)
        except (OSError, smtplib.SMTPException):
            c = None
        time.sleep(0.1)
    print(i + 1, flush=True)
    if select.select([sys.stdin], [], [], 0.05)[0]:
        break
`

// moveUntil has a backend move mail, and kills that when it has said something.
func (s *site) moveUntil(from *pidgeontest.Server, said string, args ...string) string {
	s.Helper()
	cmd := from.Ask(append([]string{"move"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	all := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		all += lines.Text() + "\n"
		if said != "" && strings.HasPrefix(lines.Text(), said) {
			s.killMove()
		}
	}
	if err := cmd.Wait(); err != nil && said == "" {
		s.Fatalf("move %v: %v\n%s\n%s", args, err, all, from.Log.Tail(30))
	}
	return all
}

// killMove kills the processes of this site that move mail.
func (s *site) killMove() {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range found {
		if text, _ := os.ReadFile(path); strings.HasPrefix(string(text), s.binary+"\x00move\x00") && strings.Contains(string(text), s.network) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// mail lists the mail of a user at a server, one message a line.
func (s *site) mail(server *pidgeontest.Server, user string) []string {
	s.Helper()
	out, err := s.doveadm(server, "-f", "tab", "fetch", "-u", user, "mailbox uid flags guid hdr.message-id", "all").Output()
	if err != nil {
		s.Fatalf("the mail of %s: %v", user, err)
	}
	// They are of the session that is asked in 2.3, and of whoever has read it in 2.4.5.
	text := strings.NewReplacer(`\Recent`, "", "$HasNoAttachment", "").Replace(string(out))
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, " \t", "\t"), "\n"), "\n")[1:]
}

// TestMove moves a user while mail arrives, with the move killed at each step: nothing is
// lost or doubled, and flags, UIDs and UIDVALIDITY stay.
func TestMove(t *testing.T) {
	t.Parallel()
	binary := built(t)
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		s := newSite(t, root, binary)
		here, there := s.address(0), s.address(1)
		table := shard.Assign([]string{here, there})
		user := userOf(table, here)
		shared := pidgeontest.ShortTempDir(t)
		placements := filepath.Join(shared, "placements")
		if err := os.WriteFile(placements, []byte("# exceptions\nstranger="+there+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		port := pidgeontest.FreePort()
		for i, address := range []string{here, there} {
			backend := s.server(address, map[string]string{
				"LISTEN": address, "IMAP_PORT": "143", "IMAPS_PORT": "0", "LMTP_PORT": s.lmtp, "TRUSTED_NETWORKS": "127.0.0.1",
				"BACKENDS": s.network + ".{1..2}", "BACKEND_NAME": s.address(i), "BACKEND_USERS_FILE": placements,
				"PROTOCOLS": "imap,lmtp,submission", "RELAY_HOST": "relay", "RELAY_TLS": "starttls", // with another CA
				"DOVEADM_PORT": port, "DOVEADM_PASSWORD": "correct horse",
			})
			backend.Environ["BACKEND_CA_PATH"] = filepath.Join(backend.Work, "certs/ca.crt")
			backend.Shares = []string{shared}
			s.backends[address] = backend
			s.start(backend)
		}
		s.proxy = s.server("127.0.0.1", map[string]string{"ROLE": "proxy", "BACKENDS": s.network + ".{1..2}", "BACKEND_USERS_FILE": placements, "LMTP_PORT": s.lmtp})
		s.proxy.Environ["BACKEND_CA_PATH"] = filepath.Join(s.proxy.Work, "certs/ca.crt")
		s.proxy.Shares = []string{shared}
		delete(s.proxy.Environ, "USERS_FILE")
		s.start(s.proxy)
		source, target := s.backends[here], s.backends[there]

		// What a mail program has left there.
		s.deliver(user)
		s.deliver(user)
		session, err := s.login(user)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		for _, command := range []string{"STORE 2 +FLAGS (\\Seen $Work)", "CREATE Archive", "COPY 1:2 Archive", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"} {
			if err := session.Command(command); err != nil {
				t.Fatal(command, err)
			}
		}

		// What only the other backend has is not removed.
		stray := s.doveadm(target, "save", "-u", user)
		stray.Stdin = strings.NewReader("Message-ID: <stray@test>\n\nx\n")
		if out, err := stray.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		refused := func(from *pidgeontest.Server, to string) {
			t.Helper()
			out, err := from.Ask("move", user, to).CombinedOutput()
			if want := to + " has messages that are not here, and would be removed: 1 of " + user + ". Bring them here first"; err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v, want %s\n%s", err, want, out)
			}
		}
		refused(source, there)
		bring := func() {
			t.Helper()
			for try := 0; ; try++ { // exit code 2 asks for another
				out, err := s.doveadm(source, "sync", "-1", "-R", "-u", user, "tcps:"+there+":"+port).CombinedOutput()
				if exit, ok := errors.AsType[*exec.ExitError](err); try < 3 && ok && exit.ExitCode() == 2 {
					continue
				}
				if err != nil {
					t.Errorf("bringing the mail here: %v\n%s", err, out)
				}
				return
			}
		}
		bring()
		sender := exec.Command("python3", "-c", delivering, s.proxy.Environ["LMTP_PORT"], user)
		stop, _ := sender.StdinPipe()
		sent, err := os.Create(filepath.Join(shared, "sent"))
		if err != nil {
			t.Fatal(err)
		}
		defer sent.Close()
		sender.Stdout, sender.Stderr = sent, sent
		if err := sender.Start(); err != nil {
			t.Fatal(err)
		}
		taken := func() string {
			text, _ := os.ReadFile(sent.Name())
			return string(text)
		}
		more := func(n int) {
			n += strings.Count(taken(), "\n")
			if !pidgeontest.Within(pidgeontest.Patience, func() bool { return strings.Count(taken(), "\n") >= n }) {
				t.Fatalf("the sender said\n%s", taken())
			}
		}
		more(10)

		for _, step := range []string{"copied", "holding", "copied what was left"} {
			if all := s.moveUntil(source, step, user, there); !strings.Contains(all, step) {
				t.Errorf("it did not come to %q\n%s", step, all)
			}
		}
		t.Log(s.moveUntil(source, "", user, there))
		if !session.Bye() {
			t.Error("the session at the old place lives on")
		}
		s.mustLogin(user)
		more(10)
		fmt.Fprintln(stop)
		if err := sender.Wait(); err != nil {
			t.Errorf("the sender: %v\n%s", err, taken())
		}

		counts := strings.Fields(taken())
		n, _ := strconv.Atoi(counts[len(counts)-1])
		times, after := map[string]int{}, map[string]bool{}
		for _, line := range s.mail(target, user) {
			after[line] = true
			if id := regexp.MustCompile(`<\d+@test>`).FindString(line); id != "" {
				times[id]++
			}
		}
		lost, doubled := 0, 0
		for i := range n {
			switch times[fmt.Sprintf("<%d@test>", i)] {
			case 0:
				lost++
			case 1:
			default:
				doubled++
			}
		}
		t.Logf("%d messages, %d lost, %d doubled", n, lost, doubled)
		if !strings.Contains(strings.Join(s.mail(target, user), "\n"), "<stray@test>") {
			t.Error("what was brought here is lost")
		}
		if n == 0 || lost+doubled > 0 {
			t.Errorf("of %d messages %d are lost and %d doubled", n, lost, doubled)
		}
		before := s.mail(source, user)
		for _, line := range before {
			if !after[line] {
				t.Errorf("was %q, and is not", line)
			}
		}
		if len(before) < 4 {
			t.Errorf("there was %q", before)
		}
		validity := func(server *pidgeontest.Server) string {
			out, _ := s.doveadm(server, "mailbox", "status", "-u", user, "uidvalidity", "*").Output()
			return string(out)
		}
		if was, is := validity(source), validity(target); was != is || was == "" {
			t.Errorf("UIDVALIDITY was\n%s\nand is\n%s", was, is)
		}
		if text, _ := os.ReadFile(placements); string(text) != "stranger="+there+"\n"+user+"="+there+"\n" {
			t.Errorf("the exceptions are\n%s", text)
		}

		// What docs/scale.md says of mail that came to another backend.
		if bring(); len(s.mail(source, user)) != len(after) {
			t.Errorf("%d messages were brought back, want %d", len(s.mail(source, user)), len(after))
		}

		// Back with all of its shard: the exception is no longer one.
		key := "shard:" + shard.Name(shard.Of(user))
		t.Log(s.moveUntil(source, "", key, there))
		if out, err := s.doveadm(target, "expunge", "-u", user, "mailbox", "INBOX", "header", "message-id", "stray").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		refused(target, here)
		t.Log(s.moveUntil(target, "", user, here, "--replace"))
		if text, _ := os.ReadFile(placements); !strings.Contains(string(text), key+"="+there+"\n"+user+"="+here+"\n") {
			t.Errorf("the exceptions are\n%s", text)
		}
		s.mustLogin(user)
		if got := len(s.mail(source, user)); got != len(after)-1 {
			t.Errorf("%d messages came back, want %d", got, len(after)-1)
		}
	})
}
