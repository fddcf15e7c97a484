package main

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// TestSecurityTables compares docs/security.md with a server that runs, and judges.
func TestSecurityTables(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	pidgeontest.OnEach(t, func(t *testing.T, dialect, root string) {
		t.Parallel()
		s := inUse(t, root, pidgeontest.Launch{})
		t.Run("files", func(t *testing.T) { compareFiles(t, s, table(text, 6), peopleOf(t, root)) })
		// A rehearsal that hangs, up to its end after 8 s.
		override(t, s, "hangs.conf", "imap_max_line_length = 1\n")
		t.Run("processes", func(t *testing.T) { compareProcesses(t, s, table(text, 5), dialect, peopleOf(t, root)) })
	})
}

// capabilities are those that the page says are enough, by their numbers.
var capabilities = map[string]int{"chown": 0, "dac_override": 1, "kill": 5, "setgid": 6, "setuid": 7, "net_bind_service": 10, "sys_chroot": 18}

func TestFewCapabilitiesSuffice(t *testing.T) {
	t.Parallel()
	few := "set -- setpriv --no-new-privs --bounding-set=-all"
	for name := range capabilities {
		few += ",+" + name
	}
	pidgeontest.OnEach(t, func(t *testing.T, _, root string) {
		t.Parallel()
		s := inUse(t, root, pidgeontest.Launch{Before: few + ` -- "$@"`})
		override(t, s, "secret.conf", "login_greeting = with few\n")
		if !s.Log.Await("msg=reloaded", pidgeontest.Patience) {
			t.Error(s.Log.Tail(20))
		}
	})
}

// inUse is a server with sessions and a client of LMTP.
func inUse(t *testing.T, root string, l pidgeontest.Launch) *pidgeontest.Server {
	t.Helper()
	binary := built(t)
	s, err := pidgeontest.New(root, binary, pidgeontest.ShortTempDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	maps.Copy(s.Environ, map[string]string{"PROTOCOLS": "imap,pop3,lmtp,sieve", "IMAP_MODE": "performance", "IMAP_CONCURRENCY": "80", "METRICS_PORT": pidgeontest.FreePort()})
	override(t, s, "secret.conf", "login_greeting = secret\n")
	if err := s.Start(l); err != nil {
		t.Fatal(err)
	}
	if !s.Log.Await("msg=started", pidgeontest.Patience) {
		t.Fatal(s.Log.Tail(20))
	}
	// What has worked is kept for the next start a moment after that.
	kept := filepath.Join(s.Environ["STATE_DIR"], "last-good/files/overrides/secret.conf")
	if !pidgeontest.Within(pidgeontest.Patience, func() bool { _, err := os.Stat(kept); return err == nil }) {
		t.Fatal(s.Log.Tail(20))
	}
	held, errs := pidgeontest.Hold(s.Environ["IMAPS_PORT"], 2, 0, pidgeontest.Patience, 2)
	if len(errs) > 0 {
		t.Fatal(errs, s.Log.Tail(20))
	}
	lmtp, err := net.Dial("tcp", "127.0.0.1:"+s.Environ["LMTP_PORT"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, session := range held {
			session.Close()
		}
		lmtp.Close()
	})
	return s
}

func override(t *testing.T, s *pidgeontest.Server, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Environ["OVERRIDES_DIR"], name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table is the one with so many columns, without its head.
func table(page []byte, columns int) (rows [][]string) {
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if strings.HasPrefix(line, "| `") && len(cells) == columns {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// people are the users of a root file system by their numbers, and the other way round.
type people struct {
	names    map[string]string
	uid, gid map[string]int
}

func peopleOf(t *testing.T, root string) people {
	text, err := os.ReadFile(root + "/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	p := people{map[string]string{"5000": "MAIL_UID"}, map[string]int{}, map[string]int{}}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(line, ":")
		p.names[fields[2]] = cmp.Or(p.names[fields[2]], fields[0])
		p.uid[fields[0]], _ = strconv.Atoi(fields[2])
		p.gid[fields[0]], _ = strconv.Atoi(fields[3])
	}
	return p
}

// compareProcesses finds each process in a row, and each row in a process.
func compareProcesses(t *testing.T, s *pidgeontest.Server, rows [][]string, dialect string, who people) {
	missing := slices.DeleteFunc(rows, func(row []string) bool {
		version := regexp.MustCompile(` \((2\.\d)\)`).FindStringSubmatch(row[0])
		return version != nil && version[1] != dialect
	})
	for i, row := range missing {
		name, _, _ := strings.Cut(strings.Trim(row[0], "`"), "`")
		missing[i] = append([]string{name}, row[1:]...)
	}
	known, rehearsed := slices.Clone(missing), false
	container := fieldsOf(s.PID())["CapEff"]
	look := func() bool {
		for _, pid := range s.PIDs() {
			row, private := describe(s, pid, container, who)
			rehearsed = rehearsed || private
			if confinement(s.PID(), pid, row, private) != "" {
				time.Sleep(100 * time.Millisecond) // it may be about to confine itself
				if wrong := confinement(s.PID(), pid, row, private); wrong != "" {
					t.Errorf("%q: %s", row, wrong)
				}
			}
			if row == nil || private {
				continue
			}
			same := func(other []string) bool { return slices.Equal(other, row) }
			if !slices.ContainsFunc(known, same) {
				time.Sleep(100 * time.Millisecond) // it may be about to give up what it began with
				if row, _ = describe(s, pid, container, who); row == nil || slices.ContainsFunc(known, same) {
					continue
				}
				t.Errorf("no row has %q", row)
				known = append(known, row)
			}
			missing = slices.DeleteFunc(missing, same)
		}
		return len(missing) == 0 && rehearsed
	}
	if !pidgeontest.Within(pidgeontest.Patience, look) {
		t.Errorf("no process is like %q, or none rehearses (%v)", missing, rehearsed)
	}
}

// confinement says what of a process is not as the list below the table has it.
func confinement(first, pid int, row []string, rehearses bool) string {
	read := func(name string) string {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		return string(text)
	}
	of, limits, score := fieldsOf(pid), read("limits"), strings.TrimSpace(read("oom_score_adj"))
	judges := row != nil && row[0] == "pidgeon judge"
	switch ours := fieldsOf(first); {
	case of["Seccomp"] == "" || limits == "" || score == "": // it has ended
	case of["Seccomp"] != ours["Seccomp"] || of["Seccomp_filters"] != ours["Seccomp_filters"]:
		return "a seccomp filter of its own: " + of["Seccomp_filters"]
	case (judges || rehearses) && score != "1000":
		return "the kernel ends it after others: " + score
	case judges && !regexp.MustCompile(`Max data size +201326592 `).MatchString(limits):
		return "it has no limit of 192 MiB: " + limits
	}
	return ""
}

// describe is the row that a process should have; nil for one that has ended, or is about
// to become another. private tells whether it belongs to a rehearsal.
func describe(s *pidgeontest.Server, pid int, container string, who people) (row []string, private bool) {
	of := fieldsOf(pid)
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", pid))
	name := filepath.Base(words[0])
	switch {
	case err != nil || of["Uid"] == "" || words[0] == "":
		return nil, false
	case len(words) > 1 && name == "exe":
		name = "pidgeon " + words[1]
	case pid == s.PID():
		name = "pidgeon"
	case name == "exe" || name == "doveconf" || name == "getent":
		return nil, false
	}
	user := strings.Fields(of["Uid"])[0]
	besides := slices.DeleteFunc(strings.Fields(of["Groups"]), func(group string) bool { return group == strings.Fields(of["Gid"])[0] })
	groups := map[string]string{"": "-", strconv.Itoa(who.gid["dovecot"]): "dovecot"}[strings.Join(besides, " ")]
	// A container's root is wherever its file system lies.
	_, below, within := strings.Cut(root, s.Environ["RUN_DIR"])
	root = "`/`"
	if within {
		root = "`RUN_DIR" + below + "`"
	}
	return []string{name, cmp.Or(who.names[user], user), cmp.Or(groups, of["Groups"]), rights(of["CapEff"], container), root}, of["NoNewPrivs"] == "1"
}

func rights(effective, container string) string {
	switch n, _ := strconv.ParseUint(effective, 16, 64); {
	case n == 0:
		return "none"
	case effective == container:
		return "the container's"
	default:
		var names []string
		for name, bit := range capabilities {
			if n&(1<<bit) != 0 {
				names = append(names, name)
				n &^= 1 << bit
			}
		}
		slices.SortFunc(names, func(a, b string) int { return capabilities[a] - capabilities[b] })
		if n != 0 {
			names = append(names, fmt.Sprintf("%x", n))
		}
		return strings.Join(names, " ")
	}
}

// fieldsOf reads /proc/PID/status.
func fieldsOf(pid int) map[string]string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// compareFiles looks at owners and modes, and has each kind of process try to read.
func compareFiles(t *testing.T, s *pidgeontest.Server, rows [][]string, who people) {
	group := who.gid["dovecot"]
	readers := []string{as(who.uid["dovecot"], group), as(5000, 5000, group), as(who.uid["dovenull"], who.gid["dovenull"])}
	for _, row := range rows {
		path := strings.Trim(row[0], "`")
		for _, dir := range []string{"RUN_DIR", "STATE_DIR", "MAIL_DIR"} {
			if rest, ok := strings.CutPrefix(path, dir); ok {
				path = s.Environ[dir] + rest
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		owner := who.names[strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))]
		got := []string{row[0], owner, fmt.Sprintf("%04o", info.Mode().Perm())}
		for _, reader := range readers {
			read := "reads"
			if exec.Command("sh", "-c", reader+" test -r "+path).Run() != nil {
				read = "-"
			}
			got = append(got, read)
		}
		if !slices.Equal(got, row) {
			t.Errorf("got  %q\nwant %q", got, row)
		}
	}
}

// as begins a command for a user.
func as(uid, gid int, groups ...int) string {
	list := "--clear-groups"
	for _, group := range groups {
		list = fmt.Sprintf("--groups=%d,%d", gid, group)
	}
	return fmt.Sprintf("setpriv --reuid=%d --regid=%d %s", uid, gid, list)
}
