// Package pidgeontest runs the built pidgeon as PID 1 of a PID namespace, inside a
// root file system with a real Dovecot, and gives tests and benchmarks what they need
// to meet it there: its processes, its log, and IMAP clients. What has to come of it is
// for them to say.
package pidgeontest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Patience is how long anything may take that takes milliseconds on an idle
// machine.
const Patience = time.Minute

// Server is one pidgeon in a container, with directories and ports of its own. Its
// paths are the same inside and outside.
type Server struct {
	*Container
	Work    string            // the directory that it shares with the test
	Environ map[string]string // of everything that is launched
	Shares  []string          // directories that it shares besides

	root, binary string
	pid          int // pidgeon's, as seen from here
}

// Launch is how a program is started inside.
type Launch struct {
	Environ []string // besides the server's; a variable without a value is unset
	Before  string   // a shell command that goes before
	User    string   // UID:GID; empty for root
	Init    bool     // not as PID 1, but below a shell
	Args    []string
}

// New is a server that has its directories, but has not been started.
func New(root, binary, work string) (*Server, error) {
	for _, dir := range []string{"overrides", "certs"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			return nil, err
		}
	}
	s := &Server{Container: NewContainer(), Work: work, Environ: baseline(work), root: root, binary: binary}
	return s, os.WriteFile(s.Environ["USERS_FILE"], Users(1000), 0o644)
}

// underShell is an init that does nothing for its children but wait for the one.
const underShell = `"$@" & wait $!; echo "init: code=$?"; while :; do sleep 1; done`

// command runs what is to be launched.
func (s *Server) command(l Launch) *exec.Cmd {
	var args []string
	if l.Init {
		args = append(args, "sh", "-c", underShell, "sh")
	}
	if l.Before != "" {
		args = append(args, "bash", "-ec", l.Before+` && exec "$@"`, "bash")
	}
	if uid, gid, ok := strings.Cut(l.User, ":"); ok {
		args = append(args, "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--")
	}
	cmd := Command(s.root, append([]string{s.Work, s.binary}, s.Shares...), append(append(args, s.binary), l.Args...)...)
	cmd.Env = slices.Concat(s.environment(), l.Environ)
	return cmd
}

// Start starts a server in the background and waits until it is pidgeon.
func (s *Server) Start(l Launch) error {
	if err := s.Container.Start(s.command(l)); err != nil {
		return err
	}
	s.pid = s.Container.PID()
	name := filepath.Base(s.binary)
	found := func() bool {
		if l.Init {
			s.pid = s.Find(name)
		}
		running, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.pid))
		return strings.TrimSpace(string(running)) == name || s.Over()
	}
	if !Within(Patience, found) {
		return errors.New("pidgeon does not appear")
	}
	return nil
}

// PID is pidgeon's, as seen from here, whether or not it is PID 1.
func (s *Server) PID() int { return s.pid }

// Run runs a program to its end and returns its exit code.
func (s *Server) Run(l Launch, stdout, stderr io.Writer) (int, error) {
	cmd := s.command(l)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	late := time.AfterFunc(3*Patience, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !late.Stop() {
		return 0, fmt.Errorf("not ended within %v", 3*Patience)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// Ask is a command of pidgeon's beside the one that runs.
func (s *Server) Ask(args ...string) *exec.Cmd {
	return s.Enter(slices.Concat([]string{"env"}, s.environment(), []string{s.binary}, args)...)
}

// Health has pidgeon say how it is.
func (s *Server) Health() (code int, said string) {
	cmd := s.Ask("health")
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}
