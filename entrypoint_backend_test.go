package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pidgeon/shard"
	"pidgeon/tests/pidgeontest"
)

// asked logs in at a server by each protocol, and names a recipient; it prints the code of
// each answer.
const asked = `
import base64, imaplib, poplib, smtplib, socket, ssl, sys
host, imap_port, pop3_port, submission_port, sieve_port, lmtp, user, password = sys.argv[1:]
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
def imap():
    c = imaplib.IMAP4(host, int(imap_port)); c.starttls(tls); return c.login(user, password)
def pop3():
    c = poplib.POP3(host, int(pop3_port)); c.stls(tls); c.user(user); return c.pass_(password)
def submission():
    c = smtplib.SMTP(host, int(submission_port)); c.starttls(context=tls); return c.login(user, password)
def sieve():
    c = socket.create_connection((host, int(sieve_port)))
    def answer():
        lines = c.makefile()
        for line in lines:
            if line.startswith(('OK', 'NO', 'BYE')):
                return line
    answer(); c.sendall(b'STARTTLS\r\n'); answer()
    c = tls.wrap_socket(c); answer()
    plain = base64.b64encode(f'\0{user}\0{password}'.encode()).decode()
    c.sendall(f'AUTHENTICATE "PLAIN" "{plain}"\r\n'.encode())
    return answer().replace('(', '[').replace(')', ']')
def delivery():
    c = smtplib.LMTP(host, int(lmtp)); c.ehlo(); c.mail('a@example.org'); return c.rcpt(user.split('*')[0])
def code(answer):
    if isinstance(answer, tuple):
        return answer[0]
    text = answer.decode() if isinstance(answer, bytes) else str(answer)
    text = text.removeprefix("b'").removeprefix('+')
    return text[:text.index(']')+1] if ']' in text else text.split()[0]
for ask in imap, pop3, submission, sieve, delivery:
    try:
        answer = ask()
    except smtplib.SMTPResponseException as e:
        answer = (e.smtp_code,)
    except smtplib.SMTPServerDisconnected:
        answer = (235,) # a proxy, whose backend cannot reach its relay
    except (imaplib.IMAP4.error, poplib.error_proto) as e:
        answer = str(e)
    if ask != submission or code(answer) != 235: # what follows needs the relay
        print(ask.__name__, code(answer))
`

// relayless logs in at a proxy, whose backend cannot reach its relay, while others are
// connected.
const relayless = `
import smtplib, ssl, sys
port, user = int(sys.argv[1]), sys.argv[2]
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
others = [smtplib.SMTP('127.0.0.1', port) for _ in range(4)]
for _ in range(12):
    c = smtplib.SMTP('127.0.0.1', port); c.starttls(context=tls)
    try:
        c.login(user, 'pass'); c.noop()
    except smtplib.SMTPException:
        pass
for other in others:
    print(other.noop()[0])
`

// forging logs in from an address, by each protocol, and claims to have another one.
const forging = `
import base64, socket, ssl, sys
host, source, claimed, user, *ports = sys.argv[1:]
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
plain = base64.b64encode(f'\0{user}\0pass'.encode()).decode()
words = {
    'imap': ('a STARTTLS', f'b ID ("x-originating-ip" "{claimed}" "x-originating-port" "99")', f'c LOGIN {user} pass'),
    'pop3': ('STLS', f'XCLIENT ADDR={claimed} PORT=99', f'USER {user}', 'PASS pass'),
    'submission': ('EHLO x', 'STARTTLS', 'EHLO x', f'XCLIENT ADDR={claimed} PORT=99', 'EHLO x', f'AUTH PLAIN {plain}'),
    'sieve': ('STARTTLS', f'XCLIENT ADDR={claimed} PORT=99', f'AUTHENTICATE "PLAIN" "{plain}"'),
}
last = ('a ', 'b ', 'c ', '+OK', '-ERR', 'OK', 'NO', 'BYE')
for port in ports:
    protocol, port = port.split('=')
    said = words[protocol]
    c = socket.create_connection((host, int(port)), 20, (source, 0))
    f = c.makefile('rb')
    def answer(greeting=False):
        for line in f:
            line = line.decode()
            if line.startswith(last) or greeting and line.startswith('* ') or line[:3].isdigit() and line[3:4] == ' ':
                return line
        sys.exit(f'{protocol} hangs up')
    answer(True)
    for word in said:
        c.sendall(word.encode() + b'\r\n')
        got = answer()
        if 'STARTTLS' in word or word == 'STLS':
            c = tls.wrap_socket(c); f = c.makefile('rb')
            if protocol == 'sieve':
                answer()
    if not got.startswith(('c OK', '+OK', '235', 'OK')):
        sys.exit(f'{protocol}: {got}')
`

// forge logs in at a server from an address that claims to be another one.
func (s *site) forge(server *pidgeontest.Server, source, claimed, user string, protocols ...string) {
	s.Helper()
	args := []string{"-c", forging, server.Environ["LISTEN"], source, claimed, user}
	for _, protocol := range protocols {
		args = append(args, protocol+"="+server.Environ[strings.ToUpper(protocol)+"_PORT"])
	}
	if out, err := exec.Command("python3", args...).CombinedOutput(); err != nil {
		s.Errorf("from %s: %v\n%s\n%s", source, err, out, server.Log.Tail(20))
	}
}

func (s *site) ask(server *pidgeontest.Server, user, password string) string {
	s.Helper()
	e := server.Environ
	out, err := exec.Command("python3", "-c", asked, e["LISTEN"], e["IMAP_PORT"], e["POP3_PORT"], e["SUBMISSION_PORT"], e["SIEVE_PORT"], s.lmtp, user, password).CombinedOutput()
	if err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// doveadm is a command inside a server.
func (s *site) doveadm(server *pidgeontest.Server, args ...string) *exec.Cmd {
	return server.Enter(append([]string{"env", "CONFIG_FILE=" + server.Environ["RUN_DIR"] + "/current/dovecot.conf", "doveadm"}, args...)...)
}

// userOf is a user whose shard is that of a backend.
func userOf(table shard.Table, backend string) string {
	for i := 0; ; i++ {
		if user := fmt.Sprintf("user%d", i); table[shard.Of(user)] == backend {
			return user
		}
	}
}

// TestBackend serves the users of one backend and has all others come back later,
// whatever a proxy believes.
func TestBackend(t *testing.T) {
	t.Parallel()
	binary := built(t)
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		s := newSite(t, root, binary)
		here, there := s.address(0), s.address(1)
		table := shard.Assign([]string{here, there})
		own, foreign := userOf(table, here), userOf(table, there)
		backend := s.server(here, map[string]string{
			"LISTEN": here, "IMAP_PORT": "143", "POP3_PORT": "110", "SUBMISSION_PORT": "587", "LMTP_PORT": s.lmtp, "TRUSTED_NETWORKS": "127.0.0.1",
			"SIEVE_PORT": "4190",
			"PROTOCOLS":  "imap,pop3,lmtp,submission,sieve", "RELAY_HOST": "127.0.0.1", "RELAY_PORT": "1", "MASTER_USERS": "boss:pass", "METRICS_PORT": pidgeontest.FreePort(),
			"BACKENDS": s.network + ".{1..2}", "BACKEND_NAME": here,
		})
		list := filepath.Join(backend.Work, "placements")
		backend.Environ["BACKEND_USERS_FILE"] = list
		if err := os.WriteFile(list, []byte("user997="+here+",stranger="+here+",user998="+here+",user999="+there+",shard:"+shard.Name(shard.Of("alice"))+"="+here+"/held"), 0o644); err != nil {
			t.Fatal(err)
		}
		s.start(backend)
		refused := 0
		served := "imap OK\npop3 OK\nsieve OK\ndelivery 250\n"
		later := "imap [UNAVAILABLE]\npop3 -ERR [SYS/TEMP]\nsubmission 454\nsieve NO [TRYLATER]\ndelivery 451\n"
		for _, tt := range []struct{ user, password, want string }{
			{own, "pass", served},
			{"user998", "pass", served}, // named, one of them in a foreign shard
			{"user997", "pass", served},
			{foreign, "pass", later},
			{foreign, "wrong", later},
			{"user999", "pass", later},
			{"alice", "secret", later}, // of a shard that is held
			{own + "*boss", "pass", served},
			{foreign + "*boss", "pass", later},
			{"user998*boss", "pass", served},
			{"user999*boss", "pass", later},
		} {
			if got := s.ask(backend, tt.user, tt.password); got != tt.want {
				t.Errorf("%s gets\n%s\nwant\n%s\n%s", tt.user, got, tt.want, backend.Log.Tail(20))
			}
			if tt.want == later {
				refused++
			}
		}
		counted := func() string {
			out, _ := backend.Ask("status").Output()
			return regexp.MustCompile(`foreign .*`).FindString(string(out))
		}
		// smtplib tries two mechanisms.
		want := fmt.Sprintf("%d logins and %d deliveries refused", 5*refused, refused)
		if !pidgeontest.Within(pidgeontest.Patience, func() bool { return strings.Contains(counted(), want) }) {
			t.Errorf("status counts %q, want %s", counted(), want)
		}
		metrics, err := exec.Command("curl", "-s", "http://"+here+":"+backend.Environ["METRICS_PORT"]+"/metrics").Output()
		if want := fmt.Sprintf(`pidgeon_foreign_refused_total{what="login"} %d`, 5*refused); err != nil || !strings.Contains(string(metrics), want) {
			t.Errorf("the metrics (%v) lack %s\n%s", err, want, metrics)
		}
		if out, err := s.doveadm(backend, "user", "-x", "service=lmtp", "stranger").CombinedOutput(); err == nil {
			t.Errorf("who is named exists, but not in USERS: %s", out)
		}
		if !backend.Log.Await("Failed to lookup user "+foreign+": not_served_by_this_backend", pidgeontest.Patience) {
			t.Error(backend.Log.Tail(20))
		}

		// Who is none of TRUSTED_NETWORKS is not believed where it comes from, who is one is.
		for _, tt := range []struct{ source, rip string }{{"127.0.0.66", `127\.0\.0\.66`}, {"127.0.0.1", `192\.0\.2\.1`}} {
			backend.Log.Mark()
			s.forge(backend, tt.source, "192.0.2.1", own, "imap", "pop3", "submission", "sieve")
			for _, login := range []string{"imap", "pop3", "submission", "managesieve"} {
				if !backend.Log.Await(login+"-login: Info: Log(in|ged in): user=<"+own+">.* rip="+tt.rip+",", pidgeontest.Patience) {
					t.Errorf("%s from %s is not %s\n%s", login, tt.source, tt.rip, backend.Log.Tail(20))
				}
			}
			if tt.source != "127.0.0.1" && len(backend.Log.Matches(`192\.0\.2\.1`)) > 0 {
				t.Errorf("%s is believed\n%s", tt.source, backend.Log.Tail(20))
			}
		}

		// A proxy that believes otherwise tries for some seconds, and says so.
		s.proxy = s.server("127.0.0.1", map[string]string{
			"ROLE": "proxy", "BACKENDS": here, "LMTP_PORT": s.lmtp, "COMPRESSION": "zstd", "QUOTA": "1G",
			"PROTOCOLS": "imap,pop3,lmtp,submission,sieve", "SUBMISSION_MODE": "performance",
		})
		s.proxy.Environ["BACKEND_CA_PATH"] = filepath.Join(s.proxy.Work, "certs/ca.crt")
		delete(s.proxy.Environ, "USERS_FILE")
		s.start(s.proxy)
		if _, err := s.login(foreign); err == nil || !strings.Contains(err.Error(), "[UNAVAILABLE]") {
			t.Errorf("%s gets through the proxy: %v", foreign, err)
		}
		s.mustLogin(own)
		backend.Log.Mark()
		s.forge(s.proxy, "127.0.0.67", "192.0.2.1", own, "imap", "pop3", "sieve")
		if !backend.Log.Await("imap-login: Info: .*rip=127\\.0\\.0\\.67,", pidgeontest.Patience) || len(backend.Log.Matches(`192\.0\.2\.1`))+len(s.proxy.Log.Matches(`192\.0\.2\.1`)) > 0 {
			t.Errorf("the proxy believes a client\n%s\n%s", s.proxy.Log.Tail(20), backend.Log.Tail(20))
		}
		for _, user := range []string{own, own + "*boss"} {
			backend.Log.Mark()
			if got := s.ask(s.proxy, user, "pass"); got != served {
				t.Errorf("%s gets through the proxy\n%s\nwant\n%s\n%s", user, got, served, s.proxy.Log.Tail(20))
			}
			if !backend.Log.Await("submission-login: Info: Log(in|ged in): user=<"+own+">", pidgeontest.Patience) {
				t.Errorf("%s does not come through the proxy for submission\n%s", user, backend.Log.Tail(20))
			}
		}
		if out, err := exec.Command("python3", "-c", relayless, s.proxy.Environ["SUBMISSION_PORT"], own).CombinedOutput(); string(out) != "250\n250\n250\n250\n" {
			t.Errorf("others get %s (%v)\n%s", out, err, s.proxy.Log.Tail(20))
		}
		if !s.proxy.Log.Await("SUBMISSION_MODE=performance is not used", pidgeontest.Patience) {
			t.Error(s.proxy.Log.Tail(20))
		}
		for _, idle := range []string{"COMPRESSION", "QUOTA"} {
			if !s.proxy.Log.Await(idle+" has no effect: ROLE is proxy", pidgeontest.Patience) {
				t.Errorf("nothing is said of %s\n%s", idle, s.proxy.Log.Tail(20))
			}
		}
	})
}
