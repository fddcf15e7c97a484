package pidgeontest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is one process of the namespace.
type process struct {
	pid         int
	name, state string
}

// PID is pidgeon's, as seen from here.
func (s *Server) PID() int { return s.pid }

// Inside is a path of the server's own mounts, as seen from here.
func (s *Server) Inside(path string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", s.pid), path)
}

// Enter is a command inside of the server's namespaces.
func (s *Server) Enter(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(s.pid), "-p", "-m", "-r", "-w", "--"}, args...)...)
}

// Health has pidgeon say how it is.
func (s *Server) Health() (code int, said string) {
	cmd := s.Enter(slices.Concat([]string{"env"}, s.environment(), []string{s.binary, "health"})...)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// Processes lists the namespace, PID 1 first.
func (s *Server) Processes() (names []string) {
	for _, p := range s.processes() {
		names = append(names, fmt.Sprint(p))
	}
	return names
}

// Find returns the PID of the first process of that name, or 0.
func (s *Server) Find(name string) int {
	for _, p := range s.processes() {
		if p.name == name && p.state != "Z" {
			return p.pid
		}
	}
	return 0
}

// Zombies are ended processes that nobody has waited for.
func (s *Server) Zombies() (names []string) {
	for _, p := range s.processes() {
		if p.state == "Z" {
			names = append(names, p.name)
		}
	}
	return names
}

func (s *Server) processes() []process {
	var all []process
	spaces, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, space := range spaces {
		if target, _ := os.Readlink(space); target != s.namespace || target == "" {
			continue
		}
		if p, ok := readProcess(filepath.Dir(filepath.Dir(space))); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	return all
}

// readProcess reads "PID (NAME) STATE …".
func readProcess(dir string) (p process, ok bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	head, tail, cut := strings.Cut(string(stat), ") ")
	if err != nil || !cut {
		return p, false
	}
	number, name, _ := strings.Cut(head, " (")
	p.pid, _ = strconv.Atoi(number)
	p.name, p.state = name, tail[:1]
	return p, true
}
