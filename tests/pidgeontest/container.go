package pidgeontest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Container is a PID namespace inside a root file system.
type Container struct {
	Log *Log // what its processes write

	cmd       *exec.Cmd
	namespace string
	ended     chan struct{}
}

// NewContainer is one that has not been started.
func NewContainer() *Container { return &Container{Log: newLog()} }

// Command runs a program as PID 1 inside a root file system. What is shared is there
// under the same path.
func Command(root string, shared []string, program ...string) *exec.Cmd {
	cmd := exec.Command(repository()+"/tools/in-rootfs.sh", slices.Concat([]string{root}, shared, []string{"--"}, program)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// Start starts what Command returned in the background.
func (c *Container) Start(cmd *exec.Cmd) error {
	if c.cmd != nil && !c.Over() {
		return errors.New("the container runs already")
	}
	c.Log.change(func() { c.Log.mark, c.Log.ended = len(c.Log.lines), false })
	// A pipe of our own: Wait of os/exec would wait for a log that is not read.
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	write.Close()
	if err != nil {
		return err
	}
	ended, copied := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(c.Log, read)
	}()
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		c.Log.change(func() { c.Log.deaf = false })
		select {
		case <-copied:
		case <-time.After(2 * time.Second): // somebody else holds it open
		}
		read.Close()
		c.Log.change(func() { c.Log.ended = true })
	}()
	c.cmd, c.ended = cmd, ended
	c.namespace, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", c.PID()))
	return nil
}

// PID is that of PID 1, as seen from here.
func (c *Container) PID() int { return c.cmd.Process.Pid }

// Over reports whether PID 1 has ended, and with it everything else.
func (c *Container) Over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Exit waits for the end and returns the exit code, 128+n for a signal.
func (c *Container) Exit(limit time.Duration) (int, error) {
	if !Within(limit, c.Over) {
		return 0, fmt.Errorf("not ended within %v", limit)
	}
	status := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// Kill ends PID 1, and with it everything in the namespace.
func (c *Container) Kill() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}

// Inside is a path of the container's own mounts, as seen from here.
func (c *Container) Inside(path string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", c.cmd.Process.Pid), path)
}

// Enter is a command inside of the container's namespaces.
func (c *Container) Enter(args ...string) *exec.Cmd {
	pid := strconv.Itoa(c.cmd.Process.Pid)
	return exec.Command("nsenter", append([]string{"-t", pid, "-p", "-m", "-r", "-w", "--"}, args...)...)
}

// Process is one of the container.
type Process struct {
	PID         int // as seen from here
	Name, State string
}

// PIDs are those of all its processes.
func (c *Container) PIDs() (pids []int) {
	for _, p := range c.Processes() {
		pids = append(pids, p.PID)
	}
	return pids
}

// Find returns the PID of the first process of that name that has not ended, or 0.
func (c *Container) Find(name string) int {
	for _, p := range c.Processes() {
		if p.Name == name && !p.Zombie() {
			return p.PID
		}
	}
	return 0
}

// Zombie reports whether a process has ended and nobody has waited for it.
func (p Process) Zombie() bool { return p.State == "Z" }

// Processes lists all processes, PID 1 first.
func (c *Container) Processes() (all []Process) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		dir := filepath.Join("/proc", entry.Name())
		if target, _ := os.Readlink(dir + "/ns/pid"); target != c.namespace || target == "" {
			continue
		}
		stat, err := os.ReadFile(dir + "/stat")
		head, tail, _ := strings.Cut(string(stat), ") ") // PID (NAME) STATE …
		if number, name, ok := strings.Cut(head, " ("); ok && err == nil {
			pid, _ := strconv.Atoi(number)
			all = append(all, Process{pid, name, tail[:1]})
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	return all
}
