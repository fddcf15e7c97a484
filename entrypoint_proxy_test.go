package main

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pidgeon/candidate"
	"pidgeon/shard"
	"pidgeon/tests/pidgeontest"
)

// authority signs certificates for addresses.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{cert: &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}}
	a.cert, a.key = a.sign(t, a.cert)
	return a
}

func (a authority) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	parent, signer := a.cert, a.key
	if signer == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signed, key
}

// certify places the CA's certificate, and one for the address or name with its key, in dir.
func (a authority) certify(t *testing.T, dir, host string) {
	t.Helper()
	asked := &x509.Certificate{Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}}
	if ip := net.ParseIP(host); ip != nil {
		asked.DNSNames, asked.IPAddresses = nil, []net.IP{ip}
	}
	cert, key := a.sign(t, asked)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.crt":  {Type: "CERTIFICATE", Bytes: a.cert.Raw},
		"tls.crt": {Type: "CERTIFICATE", Bytes: cert.Raw},
		"tls.key": {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// site is a proxy with two backends, each with mail of its own.
type site struct {
	*testing.T
	authority
	binary, root string
	network      string // the first three bytes of the backends' addresses
	name         string // that all have, and their certificates are for; empty: their addresses
	proxy        *pidgeontest.Server
	backends     map[string]*pidgeontest.Server // by their addresses
	lmtp         string                         // the port: a proxy passes mail on to the one that it takes it on
	launch       pidgeontest.Launch
}

var sites atomic.Int32

func newSite(t *testing.T, root, binary string) *site {
	s := &site{
		T: t, authority: newAuthority(t), binary: binary, root: root, backends: map[string]*pidgeontest.Server{},
		lmtp: pidgeontest.FreePort(),
		// Backends have to have the ports of the protocols; each site has its own network.
		network: fmt.Sprintf("127.%d.%d", 10+os.Getpid()%200, sites.Add(1)),
	}
	return s
}

func (s *site) server(address string, environ map[string]string) *pidgeontest.Server {
	s.Helper()
	server, err := pidgeontest.New(s.root, s.binary, pidgeontest.ShortTempDir(s.T))
	if err != nil {
		s.Fatal(err)
	}
	s.certify(s.T, filepath.Join(server.Work, "certs"), cmp.Or(s.name, address))
	for name, value := range environ {
		server.Environ[name] = value
	}
	s.Cleanup(server.Kill)
	return server
}

func (s *site) start(server *pidgeontest.Server) {
	s.Helper()
	if err := server.Start(s.launch); err != nil {
		s.Fatal(err)
	}
	s.healthy(server)
}

func (s *site) healthy(server *pidgeontest.Server) {
	s.Helper()
	said := ""
	ready := func() bool {
		code, out := server.Health()
		said = out
		return code == 0
	}
	if !pidgeontest.Within(pidgeontest.Patience, ready) {
		s.Fatalf("%s\n%s", said, server.Log.Tail(30))
	}
}

// address is that of a backend.
func (s *site) address(i int) string { return fmt.Sprintf("%s.%d", s.network, i+1) }

func (s *site) addBackend(i int) {
	s.Helper()
	address := s.address(i)
	backend := s.server(address, map[string]string{
		"LISTEN": address, "IMAP_PORT": "143", "IMAPS_PORT": "0", "LMTP_PORT": s.lmtp, "TRUSTED_NETWORKS": "127.0.0.1",
		"MASTER_USERS": "boss:pass", "MAX_CONNECTIONS_PER_USER_IP": "3",
	})
	s.backends[address] = backend
	s.start(backend)
}

// owner is the backend on which a user has mail.
func (s *site) owner(user string) (owners []string) {
	for address, backend := range s.backends {
		if _, err := os.Stat(filepath.Join(backend.Work, "mail", user)); err == nil {
			owners = append(owners, address)
		}
	}
	return owners
}

func (s *site) login(user string) (*pidgeontest.Session, error) {
	return pidgeontest.LogIn(s.proxy.Environ["IMAPS_PORT"], user, "pass", pidgeontest.Patience)
}

// mustLogin logs in until that works: a login that a reload hits fails, and proxies of 2.4.1
// forget some.
func (s *site) mustLogin(user string) {
	s.Helper()
	var err error
	works := func() bool {
		var session *pidgeontest.Session
		if session, err = pidgeontest.LogIn(s.proxy.Environ["IMAPS_PORT"], user, "pass", pidgeontest.Patience/4); err == nil {
			session.Close()
		}
		return err == nil
	}
	if !pidgeontest.Within(pidgeontest.Patience, works) {
		s.Fatalf("%s: %v\n%s", user, err, s.proxy.Log.Tail(30))
	}
}

// TestProxy has users spread over backends, each always at the same one, whatever the
// protocol; a backend that is down costs its own users their logins alone.
func TestProxy(t *testing.T) {
	t.Parallel()
	binary := built(t)
	pidgeontest.OnEach(t, func(t *testing.T, _, root string) {
		t.Parallel()
		s := newSite(t, root, binary)
		s.addBackend(0)
		s.addBackend(1)
		s.proxy = s.server("127.0.0.1", map[string]string{"ROLE": "proxy", "IMAP_CONCURRENCY": "200", "LMTP_PORT": s.lmtp, "BACKEND_USERS": "user5=" + s.address(0)})
		delete(s.proxy.Environ, "USERS_FILE")
		s.proxy.Environ["BACKEND_CA_PATH"] = filepath.Join(s.proxy.Work, "certs/ca.crt")
		list := filepath.Join(s.proxy.Work, "backends")
		s.proxy.Environ["BACKENDS_FILE"] = list
		write := func(text string) {
			if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(s.network + ".{1..2}")
		table := shard.Assign([]string{s.address(0), s.address(1)})
		s.start(s.proxy)

		want := func(user string) string {
			if user == "user5" {
				return s.address(0)
			}
			return table[shard.Of(user)]
		}
		for i := range 6 {
			user := fmt.Sprintf("user%d", i)
			s.mustLogin(user)
			s.deliver(user)
			if got := s.owner(user); len(got) != 1 || got[0] != want(user) {
				t.Errorf("%s has mail at %v, want %s\n%s", user, got, want(user), s.proxy.Log.Tail(20))
			}
		}
		if _, err := pidgeontest.LogIn(s.proxy.Environ["IMAPS_PORT"], "user1", "wrong", pidgeontest.Patience); err == nil || !strings.Contains(err.Error(), "AUTHENTICATIONFAILED") {
			t.Errorf("a wrong password: %v", err)
		}

		// Who logs in as another goes where that one's mail is.
		for i, seen := 100, 0; seen < 3; i++ {
			user := fmt.Sprintf("user%d", i)
			if want(user) == want(user+"*boss") {
				continue
			}
			seen++
			if s.mustLogin(user + "*boss"); !slices.Equal(s.owner(user), []string{want(user)}) {
				t.Errorf("with a master user %s has mail at %v, want %s", user, s.owner(user), want(user))
			}
		}
		if _, err := s.login("user1*user2"); err == nil || !strings.Contains(err.Error(), "AUTHENTICATIONFAILED") {
			t.Errorf("one user logs in as another: %v", err)
		}

		// Many at once all get in, and are heard, but of a Dovecot that is warned of.
		crowd := make([]*pidgeontest.Session, 100)
		warned := strings.Contains(s.proxy.Log.All(), "forget sessions that they pass on over TLS")
		if warned != strings.Contains(s.proxy.Log.All(), "dovecot=2.4.1 ") {
			t.Errorf("a warning of sessions that get lost: %v\n%s", warned, s.proxy.Log.All())
		}
		if warned {
			crowd = nil
		}
		pidgeontest.Each(len(crowd), 8, func(i int) {
			var err error
			if crowd[i], err = s.login(fmt.Sprintf("user%d", i)); err != nil {
				t.Errorf("session %d of many: %v", i, err)
			}
		})
		pidgeontest.Each(len(crowd), 8, func(i int) {
			if crowd[i] == nil {
				return
			}
			defer crowd[i].Close()
			if err := errors.Join(crowd[i].Idle(), crowd[i].Done()); err != nil {
				t.Errorf("session %d of many: %v", i, err)
			}
		})

		// The backend knows where the client is, and limits the sessions of one user from there.
		for i := range 4 {
			far, err := pidgeontest.Dial(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 77)}, Timeout: pidgeontest.Patience}, s.proxy.Environ["IMAPS_PORT"])
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			err = far.Open("user1", "pass")
			if i < 3 && err != nil || i == 3 && (err == nil || !strings.Contains(err.Error(), "Maximum number of connections")) {
				t.Errorf("session %d of user1 from one address: %v", i+1, err)
			}
		}
		if there := s.backends[want("user1")].Log; !there.Await(`user=<user1>.* rip=127\.0\.0\.77,`, pidgeontest.Patience) {
			t.Errorf("the backend knows not the client's address\n%s", there.Tail(10))
		}

		// A backend more takes its share, without a session lost.
		var held []*pidgeontest.Session
		for i := range 6 {
			if c, err := s.login(fmt.Sprintf("user%d", i)); err == nil {
				defer c.Close()
				held = append(held, c)
			} else if !warned {
				t.Fatal(err)
			}
		}
		s.addBackend(2)
		var plan bytes.Buffer
		asked := pidgeontest.Launch{Environ: []string{"BACKENDS_FILE=", "BACKENDS=" + s.network + ".{1..3}"}, Args: []string{"plan", "--shards", "--user", "alice"}}
		if code, err := s.proxy.Run(asked, &plan, &plan); code != 0 || err != nil || !strings.HasPrefix(plan.String(), "alice is in shard 63, which is that of "+s.network) || !strings.Contains(plan.String(), "of 256 shards move.\n"+s.address(0)+" to "+s.address(2)+": ") {
			t.Errorf("the plan is %d (%v)\n%s", code, err, &plan)
		}
		write(s.network + ".{1..3}")
		grown := shard.Assign([]string{s.address(0), s.address(1), s.address(2)})
		moved := ""
		for i := 100; moved == ""; i++ {
			if user := fmt.Sprintf("user%d", i); grown[shard.Of(user)] == s.address(2) {
				moved = user
			}
		}
		if !pidgeontest.Within(pidgeontest.Patience, func() bool { s.mustLogin(moved); return slices.Contains(s.owner(moved), s.address(2)) }) {
			t.Errorf("%s is at %v, want %s", moved, s.owner(moved), s.address(2))
		}
		lost := 0
		for _, c := range held {
			if err := c.Alive(); err != nil {
				t.Logf("a session that was there before: %v", err)
				lost++
			}
		}
		if lost == len(held) || lost > 0 && !warned {
			t.Errorf("%d of %d sessions are lost", lost, len(held))
		}

		// A backend that is down.
		s.backends[s.address(2)].Kill()
		if _, err := s.login(moved); err == nil || strings.Contains(err.Error(), "AUTHENTICATIONFAILED") {
			t.Errorf("with its backend down %s gets %v", moved, err)
		}
		s.mustLogin("user5")
		s.start(s.backends[s.address(2)])
		if !pidgeontest.Within(10*time.Second, func() bool {
			session, err := pidgeontest.LogIn(s.proxy.Environ["IMAPS_PORT"], moved, "pass", 4*time.Second)
			if err == nil {
				session.Close()
			}
			return err == nil
		}) {
			t.Errorf("10 s after its backend is back %s does not get in\n%s", moved, s.proxy.Log.Tail(20))
		}

		// A proxy that is killed costs its own sessions.
		second := s.server("127.0.0.1", maps.Clone(s.proxy.Environ))
		for _, name := range []string{"RUN_DIR", "STATE_DIR", "OVERRIDES_DIR", "TLS_CERT_PATH", "TLS_KEY_PATH", "BACKEND_CA_PATH"} {
			second.Environ[name] = strings.Replace(s.proxy.Environ[name], s.proxy.Work, second.Work, 1)
		}
		for _, name := range []string{"IMAP_PORT", "IMAPS_PORT", "LMTP_PORT"} {
			second.Environ[name] = pidgeontest.FreePort()
		}
		second.Shares = []string{s.proxy.Work}
		s.start(second)
		other, err := pidgeontest.LogIn(second.Environ["IMAPS_PORT"], "user1", "pass", pidgeontest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		s.proxy.Kill()
		for _, c := range held {
			if err := c.Alive(); err == nil {
				t.Error("a session outlives its proxy")
			}
		}
		if err := other.Alive(); err != nil {
			t.Errorf("a session of the other proxy: %v", err)
		}
	})
}

// TestProxyVerifies passes no password on to a backend that has another's certificate.
func TestProxyVerifies(t *testing.T) {
	t.Parallel()
	binary := built(t)
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		s := newSite(t, root, binary)
		s.addBackend(0)
		s.authority = newAuthority(t)
		s.proxy = s.server("127.0.0.1", map[string]string{"ROLE": "proxy", "BACKENDS": s.address(0)})
		s.proxy.Environ["BACKEND_CA_PATH"] = filepath.Join(s.proxy.Work, "certs/ca.crt")
		s.start(s.proxy)
		if _, err := s.login("user1"); err == nil || strings.Contains(err.Error(), "AUTHENTICATIONFAILED") {
			t.Errorf("got %v", err)
		}
		if owner := s.owner("user1"); len(owner) > 0 {
			t.Errorf("user1 got through to %v", owner)
		}
	})
}

// deliver hands a message over, as a mail transfer agent does.
func (s *site) deliver(user string) {
	s.Helper()
	const client = "import smtplib, sys\nwith smtplib.LMTP('127.0.0.1', int(sys.argv[1]), timeout=20) as lmtp: lmtp.sendmail('a@example.org', [sys.argv[2]], 'Subject: x\\r\\n\\r\\nx\\r\\n')"
	if out, err := exec.Command("python3", "-c", client, s.proxy.Environ["LMTP_PORT"], user).CombinedOutput(); err != nil {
		s.Fatalf("delivering to %s: %v\n%s\n%s", user, err, out, s.proxy.Log.Tail(30))
	}
}

// resolver is a DNS server that has addresses for the name of all backends, and that all
// servers ask.
type resolver struct {
	*site
	address, hosts string
	cmd            *exec.Cmd
}

func (s *site) newResolver() *resolver {
	s.Helper()
	r := &resolver{site: s, address: s.network + ".53", hosts: filepath.Join(s.TempDir(), "hosts")}
	r.cmd = exec.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--no-resolv", "--no-hosts",
		"--addn-hosts="+r.hosts, "--listen-address="+r.address, "--bind-interfaces", "--local=/mail/")
	r.answer(0, 1)
	if err := r.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(r.kill)
	s.launch.Before = "echo nameserver " + r.address + " >/etc/resolv.conf"
	return r
}

func (r *resolver) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// answer has the name have the addresses of these backends.
func (r *resolver) answer(backends ...int) {
	r.Helper()
	text := ""
	for _, i := range backends {
		text += r.site.address(i) + " " + r.name + "\n"
	}
	if err := os.WriteFile(r.hosts, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
	if r.cmd.Process != nil {
		_ = r.cmd.Process.Signal(syscall.SIGHUP)
	}
}

// TestProxyByName spreads users over the addresses that a name answers with, and follows
// them; an address that is missing for a moment moves nobody, nor does a DNS that is down.
func TestProxyByName(t *testing.T) {
	t.Parallel()
	need(t, "dnsmasq")
	binary := built(t)
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		s := newSite(t, root, binary)
		s.name = "tasks.mail"
		dns := s.newResolver()
		for i := range 3 {
			backend := s.server(s.address(i), map[string]string{
				"LISTEN": s.address(i), "IMAP_PORT": "143", "IMAPS_PORT": "0", "LMTP_PORT": s.lmtp, "TRUSTED_NETWORKS": "127.0.0.1",
				"BACKENDS": "dns:" + s.name, "BACKEND_NAME": s.address(i),
			})
			s.backends[s.address(i)] = backend
			s.start(backend)
		}
		s.proxy = s.server("127.0.0.1", map[string]string{"ROLE": "proxy", "LMTP_PORT": s.lmtp, "BACKENDS": "dns:" + s.name})
		s.proxy.Environ["BACKEND_CA_PATH"] = filepath.Join(s.proxy.Work, "certs/ca.crt")
		delete(s.proxy.Environ, "USERS_FILE")
		s.start(s.proxy)

		two := shard.Assign([]string{s.address(0), s.address(1)})
		at := func(user, want string) {
			t.Helper()
			s.mustLogin(user)
			s.deliver(user)
			if got := s.owner(user); len(got) != 1 || got[0] != want {
				t.Errorf("%s has mail at %v, want %s", user, got, want)
			}
		}
		first, second := userOf(two, s.address(0)), userOf(two, s.address(1))
		at(first, s.address(0))
		at(second, s.address(1))

		dns.answer(0)
		time.Sleep(candidate.BackendsMaxAge + 2*time.Second) // one answer, and nothing may come of it
		at(second, s.address(1))
		if changed := s.proxy.Log.Matches("msg=(changed|refused)"); len(changed) > 0 {
			t.Errorf("one answer without it makes %v", changed)
		}

		dns.answer(0, 1, 2)
		three := shard.Assign([]string{s.address(0), s.address(1), s.address(2)})
		moved := ""
		for i := 0; moved == ""; i++ {
			if user := fmt.Sprintf("user%d", i); three[shard.Of(user)] == s.address(2) && user != first && user != second {
				moved = user
			}
		}
		if !s.proxy.Log.Await("msg=reloaded", pidgeontest.Patience) {
			t.Fatal(s.proxy.Log.Tail(20))
		}
		at(moved, s.address(2))
		if changed := s.proxy.Log.Matches("msg=changed"); len(changed) != 1 {
			t.Errorf("one address more makes %v", changed)
		}

		var warned bytes.Buffer
		_, err := s.proxy.Run(pidgeontest.Launch{Before: s.launch.Before, Environ: []string{"RUN_DIR=/run/elsewhere", "BACKENDS=" + s.name}, Args: []string{"check"}}, &warned, &warned)
		if want := "warning: BACKENDS names tasks.mail, which has 3 addresses: a login goes to any of them: write dns:tasks.mail"; err != nil || !strings.Contains(warned.String(), want) {
			t.Errorf("a check of the plain name (%v) does not say %s\n%s", err, want, &warned)
		}

		dns.kill()
		if !s.proxy.Log.Await("tasks.mail, which no resolver answers for: the addresses of before stay", pidgeontest.Patience) {
			t.Error(s.proxy.Log.Tail(20))
		}
		at(moved, s.address(2))
		var said bytes.Buffer
		if code, err := s.proxy.Run(pidgeontest.Launch{Before: s.launch.Before, Environ: []string{"RUN_DIR=/run/elsewhere"}, Args: []string{"check"}}, &said, &said); code != 78 || err != nil || !strings.Contains(said.String(), "BACKENDS names tasks.mail, which no resolver answers for") {
			t.Errorf("a check elsewhere says %d (%v)\n%s", code, err, &said)
		}
	})
}
