package torture

import (
	"os"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// renewalPatience is what issue and README promise for a certificate.
const renewalPatience = 10 * time.Second

// TestRenewal renews the certificate in every order that clients of ACME and
// orchestrators use, while sessions idle and users log in.
func TestRenewal(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		crt, key := s.path("certs", "tls.crt"), s.path("certs", "tls.key")
		renew := map[string]func(t *testing.T, cert, private string){
			"certificate-first": func(t *testing.T, cert, private string) {
				replace(t, crt, cert)
				time.Sleep(2 * time.Second)
				replace(t, key, private)
			},
			"key-first": func(t *testing.T, cert, private string) {
				replace(t, key, private)
				time.Sleep(2 * time.Second)
				replace(t, crt, cert)
			},
			"at-once": func(t *testing.T, cert, private string) {
				replace(t, crt, cert)
				replace(t, key, private)
			},
			"in-place": func(t *testing.T, cert, private string) {
				write(t, crt, cert[:len(cert)/2])
				time.Sleep(time.Second)
				write(t, crt, cert)
				write(t, key, private)
			},
			"removed-first": func(t *testing.T, cert, private string) {
				_ = os.Remove(crt)
				_ = os.Remove(key)
				time.Sleep(time.Second)
				write(t, crt, cert)
				time.Sleep(time.Second)
				write(t, key, private)
			},
		}
		cert, private := pair(t, "first.example", nextYear())
		write(t, crt, cert)
		write(t, key, private)
		s.startServing(t)
		c := hold(t, s.port(), 10)
		for name, order := range renew {
			if name != "key-first" && !*whole {
				continue
			}
			t.Run(name, func(t *testing.T) { s.renewal(t, c, name+".example", order) })
		}
		t.Run("symlink-swap", func(t *testing.T) {
			s.renewal(t, c, "linked.example", func(t *testing.T, cert, private string) {
				versioned(t, s.path("certs"), "v1", cert, private)
				link(t, s.path("certs"), "..data", "v1")
				replaceLink(t, crt, "..data/tls.crt")
				replaceLink(t, key, "..data/tls.key")
			})
			s.renewal(t, c, "swapped.example", func(t *testing.T, cert, private string) {
				versioned(t, s.path("certs"), "v2", cert, private)
				link(t, s.path("certs"), "..data", "v2")
			})
		})
	})
}

// renewal has a certificate for name put in place, and waits for users to see it.
func (s *server) renewal(t *testing.T, c *crowd, name string, order func(t *testing.T, cert, private string)) {
	t.Helper()
	s.Log.Mark()
	p := probeAll(t, s.port())
	cert, private := pair(t, name, nextYear())
	order(t, cert, private)
	last := ""
	if !pidgeontest.Within(renewalPatience, func() bool {
		last = s.certificate()
		return last == name
	}) {
		t.Errorf("%s is served instead of %s", last, name)
	}
	s.Log.Await("msg=reloaded", pidgeontest.Patience)
	p.settle(time.Now())
	p.end()
	var r result
	r.count(p.take(), s.Log.Matches("SIGHUP received"))
	if r.failed > 0 {
		t.Errorf("%d logins failed%s", r.failed, r.why)
	}
	s.mustServe(t, c)
	s.mustBeCalm(t)
}

// certificate is the name that users see, or why they see none.
func (s *server) certificate() string {
	session, err := pidgeontest.Greeted(s.port(), pidgeontest.Patience)
	if err != nil {
		return err.Error()
	}
	defer session.Close()
	return session.Certificate()
}

// replace writes a file aside and renames it.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func versioned(t *testing.T, dir, version, cert, private string) {
	t.Helper()
	if err := os.Mkdir(dir+"/"+version, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/"+version+"/tls.crt", cert)
	write(t, dir+"/"+version+"/tls.key", private)
}

func link(t *testing.T, dir, name, target string) { t.Helper(); replaceLink(t, dir+"/"+name, target) }

func replaceLink(t *testing.T, path, target string) {
	t.Helper()
	if err := os.Symlink(target, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestBadCertificate puts bad files where the certificate is: nothing happens but
// a finding that names the file.
func TestBadCertificate(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, dialect, root string) {
		s := newServer(t, dialect, root)
		crt, key := s.path("certs", "tls.crt"), s.path("certs", "tls.key")
		cert, private := pair(t, "good.example", nextYear())
		foreignCert, foreign := pair(t, "foreign.example", nextYear())
		write(t, crt, cert)
		write(t, key, private)
		s.launch.User = "9:9"
		for _, path := range []string{s.Work, key} {
			if err := os.Chown(path, 9, 9); err != nil {
				t.Fatal(err)
			}
		}
		s.startServing(t)
		c := hold(t, s.port(), 10)
		spoil := func(name, finding string, do func()) {
			t.Run(name, func(t *testing.T) {
				s.Log.Mark()
				do()
				if !s.Log.Await("msg=refused.*"+finding, pidgeontest.Patience) {
					t.Errorf("no finding says %q", finding)
				}
				s.mustServe(t, c)
				if now := s.certificate(); now != "good.example" {
					t.Errorf("%s is served", now)
				}
				_ = os.Remove(key)
				replace(t, crt, cert)
				replace(t, key, private)
				s.mustBeCalm(t)
			})
		}
		spoil("a foreign key", "tls.key", func() { replace(t, key, foreign) })
		spoil("a foreign certificate", "tls.(crt|key)", func() { replace(t, crt, foreignCert) })
		spoil("no key", "tls.key", func() { _ = os.Remove(key) })
		spoil("an empty certificate", "tls.crt", func() { replace(t, crt, "") })
		spoil("garbage", "tls.key", func() { replace(t, key, "garbage\n") })
		spoil("a directory", "tls.key", func() {
			_ = os.Remove(key)
			if err := os.Mkdir(key, 0o755); err != nil {
				t.Fatal(err)
			}
		})
		spoil("a key for others", "tls.key.*0:0.*0600", func() {
			replace(t, key, private)
			if err := os.Chmod(key, 0o600); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("soon to expire", func(t *testing.T) {
			s.Log.Mark()
			soon, soonKey := pair(t, "soon.example", time.Now().Add(10*24*time.Hour))
			replace(t, crt, soon)
			replace(t, key, soonKey)
			if !s.Log.Await("expires", pidgeontest.Patience) {
				t.Error("nobody warns")
			}
			s.mustServe(t, c)
		})
	})
}
