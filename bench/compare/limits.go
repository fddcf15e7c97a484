package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pidgeon/bench/load"
	"pidgeon/status"
)

// join is a shell command that goes into a cgroup of its own, of either version.
const join = `join() {
  g=/sys/fs/cgroup/$1; [ -d $g ] || { g=/sys/fs/cgroup; echo +$1 >$g/cgroup.subtree_control; }
  g=$g/bench-%s; mkdir -p $g; for f in $3; do [ ! -e $g/$f ] || echo $2 >$g/$f; done; echo 0 >$g/cgroup.procs; }; `

// cells are the containers that are too small.
var cells = []struct{ name, limit string }{
	{"memory-64M", "join memory 64M 'memory.limit_in_bytes memory.max'"},
	{"memory-128M", "join memory 128M 'memory.limit_in_bytes memory.max'"},
	{"memory-256M", "join memory 256M 'memory.limit_in_bytes memory.max'"},
	{"memory-512M", "join memory 512M 'memory.limit_in_bytes memory.max'"},
	{"files-512", "ulimit -n 512"},
	{"files-1024", "ulimit -n 1024"},
	{"processes-200", "join pids 200 pids.max"},
	{"processes-500", "join pids 500 pids.max"},
}

// ceilingsKept has half as many more sessions tried than a small container claims to
// hold, and a change come into force while it is full.
func (b *bench) ceilingsKept() error {
	var rows []row
	for _, mode := range []string{"secure", "performance"} {
		for _, c := range cells {
			rows = append(rows, row{mode + "-" + c.name, func(b *bench) (string, error) { return b.overfill(mode, c.limit) }})
		}
	}
	return b.interleave("Limits", rows)
}

func (b *bench) overfill(mode, limit string) (string, error) {
	p := freePorts()
	s, err := b.ours(mode, mode, p)
	if err != nil {
		return "", err
	}
	s.prepare = fmt.Sprintf(join, p.IMAP) + limit
	server, err := b.start(s)
	if err != nil {
		return "", err
	}
	groups := groupsOf(p.IMAP)
	defer func() {
		server.Kill()
		for _, g := range groups {
			_ = os.Remove(g)
		}
	}()
	if !server.Log.Await("msg=started", patience) {
		return "", server.fault("does not start")
	}
	var now status.Document
	if out, err := server.Enter(b.program, "status", "--json").Output(); err != nil || json.Unmarshal(out, &now) != nil || len(now.Usage) == 0 {
		return "", server.fault("has no status")
	}
	claimed := now.Usage[0].Limit
	crowd := &load.Crowd{Port: p.IMAPS, AtOnce: 8}
	defer crowd.Leave()
	for tried := 0; tried < claimed*3/2; tried += 20 { // in so few tries it gives none up
		crowd.Grow(min(20, claimed*3/2-tried))
	}
	if err := os.WriteFile(filepath.Join(b.overrides(p), "edit.conf"), []byte("login_greeting = edited\n"), 0o644); err != nil {
		return "", err
	}
	edited := server.Log.Await("msg=reloaded", patience)
	time.Sleep(b.settle)
	held, alive := crowd.Held(), crowd.Alive()
	if !edited {
		err = server.fault("the change does not come into force")
	}
	return fmt.Sprintf("%d asked %d claimed %d held %d turned-away %d lost %d killed", b.sessions, claimed, held, claimed*3/2-held, held-alive, killed(groups)), err
}

func groupsOf(port string) []string {
	one, _ := filepath.Glob("/sys/fs/cgroup/bench-" + port)
	more, _ := filepath.Glob("/sys/fs/cgroup/*/bench-" + port)
	return append(one, more...)
}

// killed is how many processes the kernel has ended for want of memory.
func killed(groups []string) (n int) {
	for _, g := range groups {
		for _, name := range []string{"memory.oom_control", "memory.events"} {
			text, _ := os.ReadFile(filepath.Join(g, name))
			if _, after, ok := strings.Cut(string(text), "oom_kill "); ok {
				_, _ = fmt.Sscan(after, &n)
			}
		}
	}
	return n
}
