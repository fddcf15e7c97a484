package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"pidgeon/tests/pidgeontest"
)

// TestTwin has Dovecot 2.3 and 2.4 serve one configuration for 2.3, on copies of the same
// mail, to a client that writes down what it is told: both say the same.
func TestTwin(t *testing.T) {
	t.Parallel()
	need(t, "python3", "openssl", "slapd")
	whole := t
	files, err := txtar.ParseFile("testdata/upgrade/twin.txtar")
	if err != nil {
		t.Fatal(err)
	}
	binary := built(t)
	work := pidgeontest.ShortTempDir(t)
	environ := map[string]string{}
	shell := func(t *testing.T, command string, args ...string) string {
		t.Helper()
		cmd := exec.Command("bash", append([]string{"-ec", command, "bash"}, args...)...)
		cmd.Dir, cmd.Env = work, os.Environ()
		for name, value := range environ {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	transcripts := map[string]string{}
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		s, err := pidgeontest.New(root, binary, work)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if s.Kill(); t.Failed() {
				t.Log(s.Log.Tail(60))
			}
		})
		if dialect == "2.3" {
			for name, value := range s.Environ {
				environ[name] = value
			}
			environ["WORK"], environ["DOVECOT_CONF"] = work, filepath.Join(work, "etc/dovecot.conf")
			for _, f := range files.Files {
				path := filepath.Join(work, f.Name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				data := f.Data
				if strings.HasPrefix(f.Name, "etc/") {
					data = []byte(os.Expand(string(data), func(name string) string {
						if value, ok := environ[name]; ok {
							return value
						}
						return "$" + name
					}))
				}
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			shell(t, `python3 users.py "$1"
				openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out etc/key.pem
				openssl pkey -in etc/key.pem -pubout -out etc/key.pub
				mkdir db && slapadd -f etc/slapd.conf -l people.ldif
				mkdir mail && chown -R 5000:5000 mail sieve && chmod 644 etc/*`, work)
			beside(whole, work, environ, "SIEVE_PORT", "python3", "introspect.py")
			beside(whole, work, environ, "SUBMISSION_PORT", "slapd", "-f", "etc/slapd.conf", "-h", "ldap://127.0.0.1:"+environ["SUBMISSION_PORT"], "-d", "0")
		}
		s.Environ = environ
		if err := s.Start(pidgeontest.Launch{}); err != nil {
			t.Fatal(err)
		}
		if !pidgeontest.Within(3*pidgeontest.Patience, func() bool { return s.Over() || len(s.Log.Matches("msg=started")) > 0 }) || s.Over() {
			t.Fatal("it did not start")
		}
		if dialect == "2.3" {
			t.Log(shell(t, `python3 client.py seed && cp -a mail mail.seed`))
		}
		transcripts[dialect] = shell(t, `python3 client.py`)
		s.Kill()
		if dialect == "2.3" {
			shell(t, `rm -rf mail run state dv ds && mv mail.seed mail`)
		}
	})
	before, now := []byte(transcripts["2.3"]), []byte(transcripts["2.4"])
	if len(now) > 0 && !bytes.Equal(before, now) {
		t.Errorf("%s", diff.Diff("2.3", before, "2.4", now))
	}
}

// beside runs what Dovecot asks, on the port of a protocol that is off.
func beside(t *testing.T, work string, environ map[string]string, port string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = work, append(os.Environ(), port+"="+environ[port])
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if !pidgeontest.Within(pidgeontest.Patience, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+environ[port])
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}) {
		t.Fatalf("%s does not listen", command[0])
	}
}
