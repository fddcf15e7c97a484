// Package pidgeontest runs the built pidgeon as PID 1 of a PID namespace, inside a
// root file system with a real Dovecot, and gives tests what they need to meet it
// there: its processes, its log, and IMAP clients. What has to come of it is for
// the tests to say.
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
	"syscall"
	"time"
)

// Patience is how long anything may take that takes milliseconds on an idle
// machine.
const Patience = 20 * time.Second

// Server is one pidgeon inside a root file system, with directories and ports of
// its own. Its paths are the same inside and outside.
type Server struct {
	Work    string            // the directory that it shares with the test
	Environ map[string]string // of everything that is launched
	Log     *Log

	root, binary string
	cmd          *exec.Cmd
	pid          int    // pidgeon's, as seen from here
	namespace    string // its PID namespace
	ended        chan struct{}
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
	s := &Server{Work: work, Environ: baseline(work), Log: newLog(), root: root, binary: binary}
	return s, os.WriteFile(s.Environ["USERS_FILE"], testUsers(), 0o644)
}

// underShell is an init that does nothing for its children but wait for the one.
const underShell = `"$@" & wait $!; echo "init: code=$?"; while :; do sleep 1; done`

// Command runs a program as PID 1 inside a root file system. What is shared is there
// under the same path.
func Command(root string, shared []string, program ...string) *exec.Cmd {
	cmd := exec.Command(repository()+"/tools/in-rootfs.sh", slices.Concat([]string{root}, shared, []string{"--"}, program)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

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
	cmd := Command(s.root, []string{s.Work, s.binary}, append(append(args, s.binary), l.Args...)...)
	cmd.Env = slices.Concat(s.environment(), l.Environ)
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// Start starts a server in the background and waits until it is pidgeon.
func (s *Server) Start(l Launch) error {
	if s.cmd != nil && !s.Over() {
		return errors.New("the server runs already")
	}
	s.Log.begin()
	cmd := s.command(l)
	cmd.Stdout, cmd.Stderr = s.Log, s.Log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		s.Log.end()
	}()
	s.cmd, s.ended, s.pid = cmd, ended, 0
	s.namespace, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", cmd.Process.Pid))
	found := func() bool {
		s.pid = s.Find(filepath.Base(s.binary))
		return s.pid != 0 || s.Over()
	}
	if !Within(Patience, found) {
		return errors.New("pidgeon does not appear")
	}
	return nil
}

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

// Over tells whether the server has ended.
func (s *Server) Over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Exit waits for the end and returns the exit code, 128+n for a signal.
func (s *Server) Exit(limit time.Duration) (int, error) {
	if !Within(limit, s.Over) {
		return 0, fmt.Errorf("not ended within %v", limit)
	}
	status := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// Kill ends PID 1, and with it everything in the namespace.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}
