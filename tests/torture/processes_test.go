package torture

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestNoProcessLeft changes an override while not a single process or thread
// more can be made.
func TestNoProcessLeft(t *testing.T) {
	long(t)
	t.Run("ulimit", func(t *testing.T) {
		onEach(t, func(t *testing.T, dialect, root string) {
			s := newServer(t, dialect, root)
			// The limit counts all processes of a user, so one that nobody else has.
			s.launch.User = "9:9"
			if err := os.Chown(s.Work, 9, 9); err != nil {
				t.Fatal(err)
			}
			starve(t, s, func(pids []int) func() {
				allow(t, pids, "1")
				return func() { allow(t, pids, "hard") }
			})
		})
	})
	t.Run("cgroup", func(t *testing.T) {
		onEach(t, func(t *testing.T, dialect, root string) {
			s := newServer(t, dialect, root)
			starve(t, s, func(pids []int) func() { return confine(t, s, pids) })
		})
	})
}

// allow sets the soft limit on processes, as the user whose they are: in a
// container root may lack the right to do it for others.
func allow(t *testing.T, pids []int, limit string) {
	t.Helper()
	for _, pid := range pids {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		if err != nil {
			t.Fatal(err)
		}
		soft := limit
		if limit == "hard" {
			soft = strings.Fields(string(limits[bytes.Index(limits, []byte("Max processes")):]))[3]
		}
		cmd := exec.Command("setpriv", "--reuid", "9", "--regid", "9", "--clear-groups", "prlimit", "--pid", strconv.Itoa(pid), "--nproc="+soft+":")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// starve lets a server run against the limit.
func starve(t *testing.T, s *server, limit func(pids []int) (lift func())) {
	t.Helper()
	s.startServing(t)
	c := hold(t, s.port(), 5)
	master := s.Find("dovecot")
	lift := limit([]int{s.PID(), master})
	s.Log.Mark()
	s.override(t, "greeting.conf", "login_greeting = while starved\n")
	said := s.Log.Await("msg=(refused|reloaded)|not carried out", pidgeontest.Patience)
	time.Sleep(2 * time.Second) // it has to bear this for a while
	lift()
	if s.Over() {
		t.Fatal("the server has ended")
	}
	if !said {
		t.Error("nobody said why the change is not in force")
	}
	s.Log.Mark()
	s.override(t, "greeting.conf", "login_greeting = fed again\n")
	if !s.Log.Await("msg=reloaded", pidgeontest.Patience) {
		t.Error("with processes again, the change is not carried out")
	}
	// Dovecot pauses a service that could not fork.
	pidgeontest.Within(pidgeontest.Patience, func() bool { return login(s.port(), "user1") == nil })
	s.mustServe(t, c)
	s.mustBeCalm(t)
}

// confine puts processes into a cgroup that holds no more than they are.
func confine(t *testing.T, s *server, pids []int) (lift func()) {
	t.Helper()
	for _, at := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		dir := filepath.Join(at, fmt.Sprintf("pidgeon-torture-%d-%s", os.Getpid(), s.dialect))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "pids.max")); err != nil {
			_ = os.Remove(dir)
			continue
		}
		t.Cleanup(func() {
			s.Kill()
			if !pidgeontest.Within(pidgeontest.Patience, func() bool { return os.Remove(dir) == nil }) {
				t.Errorf("%s is left behind", dir)
			}
		})
		put := func(file, value string) {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, pid := range pids {
			put("cgroup.procs", strconv.Itoa(pid))
		}
		now, err := os.ReadFile(filepath.Join(dir, "pids.current"))
		if err != nil {
			t.Fatal(err)
		}
		put("pids.max", strings.TrimSpace(string(now)))
		return func() { put("pids.max", "max") }
	}
	pidgeontest.Gap(t, "no cgroup for processes can be made here")
	return nil
}
