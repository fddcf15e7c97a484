package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pidgeon/bench/usage"
)

// A spec says what to start inside a root file system.
type spec struct {
	name    string
	prepare string   // a shell command that comes before, untimed
	command []string // becomes PID 1
	environ []string
	share   []string // files and directories from outside, under the same path
}

// server is what runs as PID 1 of a PID namespace of its own. The directories and
// files that it shares with the outside have the same path there.
type server struct {
	spec
	ports ports
	cmd   *exec.Cmd
	gate  io.WriteCloser
	log   *os.File
}

// launch makes the namespaces and does what is to be prepared; open lets the
// command run. What lies between is not worth measuring.
func (b *bench) launch(s spec, p ports) (*server, error) {
	// Not beside the fixtures: pidgeon watches the directory of its users file, and
	// every line would wake it.
	log, err := os.CreateTemp("", "bench-log")
	if err != nil {
		return nil, err
	}
	script := `{ ` + s.prepare + `
} && echo ` + prepared + ` && read -r _ && exec "$@"`
	args := append([]string{b.root, b.dir, b.bin}, s.share...)
	args = append(args, "--", "bash", "-ec", script, "bash")
	cmd := exec.Command(b.enter, append(args, s.command...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, s.environ...)
	cmd.Stdout, cmd.Stderr = log, log
	gate, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &server{s, p, cmd, gate, log}, cmd.Start()
}

const prepared = "bench: prepared"

// prepared waits for the end of what comes before.
func (s *server) prepared() error {
	return s.await("the preparation does not end", func() bool { return strings.Contains(s.logged(), prepared) })
}

// await polls.
func (s *server) await(complaint string, done func() bool) error {
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%s: %s\n%s", s.name, complaint, s.tail())
		}
	}
	return nil
}

// open lets the command run, and returns when that was.
func (s *server) open() time.Time {
	fmt.Fprintln(s.gate)
	return time.Now()
}

// start launches, opens and waits for the first greeting.
func (b *bench) start(s spec, p ports) (*server, error) {
	server, err := b.launch(s, p)
	if err != nil {
		return nil, err
	}
	server.open()
	return server, server.serves("")
}

// serves waits for a greeting that contains text.
func (s *server) serves(text string) error {
	if err := awaitGreeting(s.ports.IMAP, text); err != nil {
		return fmt.Errorf("%s: %w\n%s", s.name, err, s.tail())
	}
	return nil
}

// stop ends all its processes: those of a PID namespace end with its PID 1.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.gate.Close()
	s.log.Close()
	os.Remove(s.log.Name())
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) usage() (usage.Server, error) { return usage.Of(s.pid()) }

func (s *server) logged() string {
	said, _ := os.ReadFile(s.log.Name())
	return string(said)
}

func (s *server) tail() string {
	lines := strings.Split(strings.TrimSpace(s.logged()), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// master is the PID of Dovecot's master, which PID 1 is or has started.
func (s *server) master() int {
	u, err := s.usage()
	if err != nil {
		return 0
	}
	for _, pid := range u.PIDs() {
		name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		if strings.TrimSpace(string(name)) == "dovecot" {
			return pid
		}
	}
	return 0
}
