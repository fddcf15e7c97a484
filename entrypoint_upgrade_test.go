package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
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
		return output(t, work, environ, "bash", append([]string{"-ec", command, "bash"}, args...)...)
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
				mkdir mail && chown -R 5000:5000 mail sieve && chmod 644 etc/* && chmod 755 etc/warn.sh`, work)
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
			t.Log(shell(t, `python3 client.py seed && cp -a mail mail.seed && rm -f warned`))
			s.Log.Mark()
		}
		transcripts[dialect] = shell(t, `python3 client.py`) + variables(t, s) + logged(s)
		s.Kill()
		if dialect == "2.3" {
			shell(t, `rm -rf mail run state dv ds warned && mv mail.seed mail`)
		}
	})
	before, now := []byte(transcripts["2.3"]), []byte(transcripts["2.4"])
	if len(now) > 0 && !bytes.Equal(before, now) {
		t.Errorf("%s", diff.Diff("2.3", before, "2.4", now))
	}
}

// variables are what Dovecot makes of those in the fields of a user.
func variables(t *testing.T, s *pidgeontest.Server) string {
	t.Helper()
	out, err := s.Enter("doveadm", "-c", s.Environ["RUN_DIR"]+"/current/dovecot.conf", "user", "frank@example.com").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fields := regexp.MustCompile(`(?m)^v_.*$`).FindAllString(string(out), -1)
	if len(fields) < 20 {
		t.Errorf("%d variables\n%s", len(fields), out)
	}
	return lines(fields)
}

// formatted are lines of the log, or parts of them, that settings say how to write.
const formatted = `@login .*user=<[^>]+>.*|@(imap|pop3|deliver) .*@$|[a-z0-9-]+\([^()]*@[^()]*,[^()]*,[A-Z.]+\)`

// logged is what they make, in no order, each once: several processes write, and 2.4 more.
func logged(s *pidgeontest.Server) string {
	var found []string
	for _, line := range s.Log.Matches(formatted) {
		found = append(found, regexp.MustCompile(formatted).FindAllString(line.Text, -1)...)
	}
	return lines(found)
}

func lines(all []string) string {
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\n") + "\n"
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

// TestWayBack plays what docs/upgrade.md says to do with a container, on root file systems
// in the place of images: mail goes forth and back as it is.
func TestWayBack(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	doc, err := os.ReadFile("docs/upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := txtar.ParseFile("testdata/upgrade/back.txtar")
	if err != nil {
		t.Fatal(err)
	}
	images := map[string]string{}
	pidgeontest.OnEach(t, func(_ *testing.T, dialect, root string) {
		images[map[string]string{"2.3": "pidgeon:bookworm", "2.4": "pidgeon:trixie"}[dialect]] = root
	})
	if len(images) < 2 {
		t.Skip("there is one dialect alone")
	}
	work, binary := pidgeontest.ShortTempDir(t), built(t)
	for _, f := range files.Files {
		path := filepath.Join(work, f.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, f.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	var environ map[string]string
	containers, roots := map[string]*pidgeontest.Server{}, map[string]string{}
	image := func(name string) *pidgeontest.Server {
		s, err := pidgeontest.New(images[name], binary, work)
		if err != nil {
			t.Fatal(err)
		}
		if environ == nil {
			environ = s.Environ
			environ["PROTOCOLS"] = "imap,pop3,lmtp"
		}
		s.Environ = environ
		t.Cleanup(func() {
			if s.Kill(); t.Failed() {
				t.Log(s.Log.Tail(40))
			}
		})
		return s
	}
	start := func(name, of string) {
		s := image(of)
		if err := s.Start(pidgeontest.Launch{}); err != nil {
			t.Fatal(err)
		}
		if !s.Log.Await("msg=started", 3*pidgeontest.Patience) {
			t.Fatalf("%s did not start", of)
		}
		containers[name], roots[name] = s, of
	}
	shell := func(command string, args ...string) string {
		t.Helper()
		return output(t, work, environ, command, args...)
	}
	if err := os.MkdirAll(filepath.Join(work, "mail"), 0o755); err != nil {
		t.Fatal(err)
	}
	shell("chown", "5000:5000", "mail")
	start("mail", "pidgeon:bookworm")
	before, now := shell("python3", "client.py", "seed"), ""

	_, section, _ := strings.Cut(string(doc), "with a way back\n")
	_, block, _ := strings.Cut(section, "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	for line := range strings.Lines(block) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		name := words[len(words)-1]
		switch {
		case words[0] == "cp":
			shell(words[0], words[1:]...)
		case words[1] == "exec":
			out, _ := containers[words[2]].Ask(words[4:]...).CombinedOutput()
			said := map[string]string{"upgrade": "all of it can be carried over", "status": "carried over"}[words[4]]
			if !bytes.Contains(out, []byte(said)) {
				t.Errorf("%s%s", line, out)
			}
		case words[1] == "run" && words[2] == "--rm":
			var out bytes.Buffer
			code, err := image(words[4]).Run(pidgeontest.Launch{Args: words[5:]}, &out, &out)
			if code != 0 || err != nil {
				t.Errorf("%s%d, %v: %s", line, code, err, &out)
			}
		case words[1] == "run":
			start(words[4], name)
			if now = shell("python3", "client.py", "show"); now != before {
				t.Errorf("%s", diff.Diff("2.3", []byte(before), "2.4", []byte(now)))
			}
			now = shell("python3", "client.py", "use")
		case words[1] == "stop":
			if err := syscall.Kill(containers[name].PID(), syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code, err := containers[name].Exit(3 * pidgeontest.Patience); code != 0 || err != nil {
				t.Errorf("%s%d, %v", line, code, err)
			}
		case words[1] == "rename":
			roots[name] = roots[words[2]]
		case words[1] == "start":
			start(name, roots[name])
			if back := shell("python3", "client.py", "show"); back != now || now == before {
				t.Errorf("%s", diff.Diff("2.4", []byte(now), "2.3", []byte(back)))
			}
		case words[1] != "rm":
			t.Errorf("nobody plays %s", line)
		}
	}
}

// output is what a command says that has to succeed, in a directory and with more variables.
func output(t *testing.T, dir string, environ map[string]string, command string, args ...string) string {
	t.Helper()
	cmd := exec.Command(command, args...)
	cmd.Dir, cmd.Env = dir, os.Environ()
	for name, value := range environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
