package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long anything may take that takes milliseconds on an idle
// machine.
const patience = 20 * time.Second

// server is one pidgeon inside a root file system, and the namespace it lives in.
type server struct {
	root, work, binary string
	environ            []string
	log                *capture

	cmd       *exec.Cmd
	pid       int    // pidgeon's, as seen from here
	namespace string // its PID namespace
	ended     chan struct{}
}

// launch is how a program is started inside.
type launch struct {
	environ []string
	user    string // UID:GID; empty for root
	init    bool   // not as PID 1, but below a shell
	args    []string
}

// parseLaunch reads [NAME=VALUE]... [-user UID:GID] [-init] [ARGUMENT]...; a
// variable without a value is unset.
func parseLaunch(args []string) (l launch) {
	for ; len(args) > 0; args = args[1:] {
		switch name, _, assigned := strings.Cut(args[0], "="); {
		case args[0] == "-init":
			l.init = true
		case args[0] == "-user" && len(args) > 1:
			l.user, args = args[1], args[1:]
		case assigned && name == strings.ToUpper(name):
			l.environ = append(l.environ, args[0])
		default:
			l.args = args
			return l
		}
	}
	return l
}

// underShell is an init that does nothing for its children but wait for the one.
const underShell = `"$@" & wait $!; echo "init: code=$?"; while :; do sleep 1; done`

// asInImage lets anyone write to RUN_DIR's default, as the image does.
const asInImage = `install -d -m 1777 /run/pidgeon && exec "$@"`

// command enters new PID and mount namespaces with the root file system.
func (s *server) command(l launch) *exec.Cmd {
	args := []string{s.root, s.work, s.binary, "--"}
	if l.init {
		args = append(args, "sh", "-c", underShell, "sh")
	}
	if uid, gid, ok := strings.Cut(l.user, ":"); ok {
		args = append(args, "sh", "-c", asInImage, "sh", "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--")
	}
	cmd := exec.Command("tools/in-rootfs.sh", append(append(args, s.binary), l.args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.Env = slices.Concat(s.environ, l.environ)
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// start starts a server in the background and waits until it is pidgeon.
func (s *server) start(l launch) error {
	if s.cmd != nil && !s.over() {
		return errors.New("the server runs already")
	}
	s.log.begin()
	cmd := s.command(l)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		s.log.end()
	}()
	s.cmd, s.ended, s.pid = cmd, ended, 0
	s.namespace, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", cmd.Process.Pid))
	found := func() bool {
		s.pid = s.find(filepath.Base(s.binary))
		return s.pid != 0 || s.over()
	}
	if !within(patience, found) {
		return errors.New("pidgeon does not appear")
	}
	return nil
}

// run runs a program to its end and returns its exit code.
func (s *server) run(l launch, stdout, stderr interface{ Write([]byte) (int, error) }) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	cmd := s.command(l)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		return 0, errors.Join(err, ctx.Err())
	}
	return cmd.ProcessState.ExitCode(), nil
}

func (s *server) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// kill ends PID 1, and with it everything in the namespace.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// process is one process of the namespace.
type process struct {
	pid, parent int
	name, state string
}

// processes lists the namespace, PID 1 first.
func (s *server) processes() []process {
	var all []process
	spaces, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, space := range spaces {
		if target, _ := os.Readlink(space); target != s.namespace || target == "" {
			continue
		}
		dir := filepath.Dir(filepath.Dir(space))
		if p, ok := readProcess(dir); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b process) int { return a.pid - b.pid })
	return all
}

// readProcess reads "PID (NAME) STATE PARENT …".
func readProcess(dir string) (p process, ok bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	head, tail, cut := strings.Cut(string(stat), ") ")
	if err != nil || !cut {
		return p, false
	}
	number, name, _ := strings.Cut(head, " (")
	fields := strings.Fields(tail)
	p.pid, _ = strconv.Atoi(number)
	p.parent, _ = strconv.Atoi(fields[1])
	p.name, p.state = name, fields[0]
	return p, true
}

// find returns the first process of that name, or 0.
func (s *server) find(name string) int {
	for _, p := range s.processes() {
		if p.name == name && p.state != "Z" {
			return p.pid
		}
	}
	return 0
}

// zombies are ended processes that nobody has waited for.
func (s *server) zombies() (names []string) {
	for _, p := range s.processes() {
		if p.state == "Z" {
			names = append(names, p.name)
		}
	}
	return names
}

// within asks until the answer is yes or the time is up.
func within(d time.Duration, done func() bool) bool {
	for end := time.Now().Add(d); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
