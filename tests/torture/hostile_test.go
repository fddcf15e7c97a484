package torture

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// attack is what somebody does to a server, up to a stop in the middle of it.
type attack struct {
	name    string
	begin   func(t *testing.T, s *server) (end func())
	short   bool // it is part of a plain go test
	clients bool // it does the same to a bare Dovecot
}

const (
	// underAttack is how long an attack lasts before the stop.
	underAttack = 6 * time.Second
	// largest is what PID 1 may take, in KiB.
	largest = 30 << 10
	// lateness is how much longer a stop may take than one in peace, or a bare Dovecot's.
	lateness = time.Second
)

// TestHostile attacks a server that serves, and stops it in the middle: PID 1 stays
// small, the stop is in time, and no login is lost but those that a reload hits, as it
// does with a bare Dovecot. What takes the processors away is done to one, too. The times
// are for make torture, which has the machine to itself.
func TestHostile(t *testing.T) {
	onEach(t, func(t *testing.T, dialect, root string) {
		peace := underSiege(t, serving(t, dialect, root), attack{name: "nothing", begin: func(*testing.T, *server) func() { return func() {} }})
		fmt.Println(peace)
		for _, a := range attacks() {
			if !*whole && !a.short || !regexp.MustCompile(*only).MatchString(a.name) {
				continue
			}
			r, stop := underSiege(t, serving(t, dialect, root), a), peace.stop
			fmt.Println(r)
			if a.clients && *whole {
				a.name += ", to a bare Dovecot"
				other := underSiege(t, bare(t, dialect, root), a)
				fmt.Println(other)
				stop = max(stop, other.stop)
			}
			if r.resident > largest {
				t.Errorf("%s: PID 1 took %d KiB", a.name, r.resident)
			}
			if late := r.stop - stop; late > lateness && *whole {
				t.Errorf("%s: the stop came %v late", a.name, late)
			}
			if r.code != 0 || r.lost > 0 || r.failed > 0 {
				t.Errorf("%s: exit code %d; %d sessions lost, %d of %d logins failed%s", a.name, r.code, r.lost, r.failed, r.logins, r.why)
			}
		}
	})
}

// siege is a line of the table.
type siege struct {
	result
	resident int // KiB, the most that PID 1 took meanwhile
	stop     time.Duration
	code     int
}

func (s siege) String() string {
	return fmt.Sprintf("| %s | %s | %.1f | %d of %d, %d | %.2f |",
		s.name, s.dialect, float64(s.resident)/1024, s.failed, s.logins, s.flying, s.stop.Seconds())
}

// bare is Dovecot as PID 1, with the configuration that pidgeon would give it.
func bare(t *testing.T, dialect, root string) *server {
	t.Helper()
	s := newServer(t, dialect, root)
	var said bytes.Buffer
	if code, err := s.Run(pidgeontest.Launch{Args: []string{"render", "--output", s.path("bare")}}, &said, &said); err != nil || code != 0 {
		t.Fatalf("%d, %v: %s", code, err, &said)
	}
	for _, command := range []string{"mkdir -p " + s.Environ["RUN_DIR"] + " " + s.Environ["STATE_DIR"] + "/dovecot", "chmod -R a+rX " + s.path("bare")} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	program := "install -d -o 5000 -g 5000 " + s.Environ["MAIL_DIR"] + " && exec dovecot -F -c " + s.path("bare", "dovecot.conf")
	if err := s.Container.Start(pidgeontest.Command(root, []string{s.Work}, "bash", "-ec", program)); err != nil {
		t.Fatal(err)
	}
	if !s.Log.Await("starting up for", pidgeontest.Patience) {
		t.Fatalf("not started: %s", s.Log.Tail(20))
	}
	return s
}

// serving is a server that serves, and has metrics.
func serving(t *testing.T, dialect, root string) *server {
	t.Helper()
	s := newServer(t, dialect, root)
	s.Environ["METRICS_PORT"] = pidgeontest.FreePort()
	s.startServing(t)
	return s
}

func underSiege(t *testing.T, s *server, a attack) siege {
	t.Helper()
	defer s.Kill()
	c := hold(t, s.port(), 10)
	s.Log.Mark()
	forgetPeak(t, s)
	p := probeAll(t, s.port())
	end := a.begin(t, s)
	time.Sleep(underAttack)
	p.end()
	r := siege{result: result{name: a.name, dialect: s.dialect}}
	r.count(p.take(), s.Log.Matches("SIGHUP received"))
	r.lost = c.lost()
	from := time.Now()
	_ = syscall.Kill(s.Container.PID(), syscall.SIGTERM)
	pidgeontest.Within(pidgeontest.Patience, func() bool { r.resident = max(r.resident, peak(s)); return ended(s) })
	r.stop = time.Since(from)
	end()
	r.code = s.exit(t, pidgeontest.Patience)
	return r
}

// ended tells whether PID 1 is gone, before its log has been read.
func ended(s *server) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Container.PID()))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// forgetPeak has the kernel begin anew with the most that PID 1 took (proc(5)).
func forgetPeak(t *testing.T, s *server) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.Container.PID()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

func peak(s *server) (kib int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Container.PID()))
	if m := highWater.FindSubmatch(status); m != nil {
		kib, _ = strconv.Atoi(string(m[1]))
	}
	return kib
}

func attacks() []attack {
	return []attack{
		{name: "an include of everything (`/usr/*/*/*`)", begin: dropping("x.conf", "!include /usr/*/*/*\n"), short: true},
		{name: "an include of the whole disk (`/*/*/*/*/*/*/*`)", begin: dropping("x.conf", "!include_try /*/*/*/*/*/*/*\n")},
		{name: "seven files of 60,000 wrong lines", begin: wrongLines},
		{name: "includes of `/dev/zero`, a FIFO and a directory", begin: dropping("x.conf", "!include @REFS@/nested.conf\n!include /dev/zero\n!include @REFS@/fifo\n!include @REFS@\n")},
		{name: "a password `</dev/zero` in an included file", begin: dropping("x.conf", "!include @REFS@/nested.conf\n")},
		{name: "files that include each other", begin: dropping("x.conf", "!include @REFS@/loop-a.conf\n")},
		{name: "a template without end", begin: dropping("x.conf.tmpl", `{{ range until 99999 }}{{ range until 99999 }}{{ range until 99999 }}{{ end }}{{ end }}{{ end }}`)},
		{name: "a template that doubles a text", begin: dropping("x.conf.tmpl", `{{ $x := repeat 1000000 "x" }}{{ range until 30 }}{{ $x = cat $x $x }}{{ end }}`)},
		{name: "templates that call each other", begin: dropping("x.conf.tmpl", `{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`)},
		{name: "a megabyte of nested sections", begin: dropping("x.conf", strings.Repeat("service a {\n", 80_000))},
		{name: "8,000 `local_name` blocks", begin: dropping("x.conf", names(8000))},
		{name: "names of files with line ends, quotes, 255 bytes", begin: oddNames},
		{name: "20,000 files that are ignored, more all the time", begin: litter},
		{name: "an edit every 20 ms", begin: scribble},
		{name: "links in a circle, links to devices", begin: links},
		{name: "overrides on a file system that does not answer", begin: hang("OVERRIDES_DIR"), short: true},
		{name: "a certificate on a file system that does not answer", begin: hang("certs")},
		{name: "a log that nobody reads", begin: unread},
		{name: "200 logins at once, with made-up names and complaints in them", begin: guess, short: true, clients: true},
		{name: "500 connections that say nothing", begin: silence("IMAPS_PORT", 500), clients: true},
		{name: "500 silent clients of the metrics", begin: silence("METRICS_PORT", 500)},
		{name: "scrapes and probes without pause, and bytes that are no HTTP", begin: scrape, short: true},
		{name: "HUP without pause", begin: hups},
	}
}

func dropping(name, text string) func(*testing.T, *server) func() {
	return func(t *testing.T, s *server) func() {
		makeRefs(t, s.path("refs"))
		write(t, s.path("refs", "nested.conf"), "login_greeting = </dev/zero\n")
		s.override(t, name, strings.ReplaceAll(text, "@REFS@", s.path("refs")))
		return func() {}
	}
}

func wrongLines(t *testing.T, s *server) func() {
	for i := range 7 {
		s.override(t, fmt.Sprint(i, ".conf"), strings.Repeat("not a setting\n", 60_000))
	}
	return func() {}
}

func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "local_name h%d.example {\n  login_greeting = %d\n}\n", i, i)
	}
	return b.String()
}

func oddNames(t *testing.T, s *server) func() {
	for _, name := range []string{
		"a\nlogin_greeting = x\n.conf", "\"; rm -rf ..conf", "$(reboot).conf", "\xff\xfe.conf", "\u202efnoc.conf", strings.Repeat("n", 250) + ".conf",
		"{{ .Env }}.conf.tmpl", "%s%n%x.conf", "}.conf", "..conf", ".conf", " .conf",
	} {
		write(t, s.path("overrides", name), "login_greeting = x\n")
	}
	return func() {}
}

// repeatedly does something again and again.
func repeatedly(pause time.Duration, do func(n int)) (end func()) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(pause):
				do(n)
			}
		}
	})
	return func() {
		close(stop)
		all.Wait()
	}
}

func litter(t *testing.T, s *server) func() {
	for i := range 20_000 {
		write(t, s.path("overrides", fmt.Sprint("tmp", i)), "")
	}
	return repeatedly(5*time.Millisecond, func(n int) {
		_ = os.WriteFile(s.path("overrides", fmt.Sprint("more", n%10)), nil, 0o644)
		_ = os.Remove(s.path("overrides", fmt.Sprint("more", (n+5)%10)))
	})
}

func scribble(_ *testing.T, s *server) func() {
	return repeatedly(20*time.Millisecond, func(n int) {
		_ = os.WriteFile(s.path("overrides", "x.conf"), fmt.Appendf(nil, "login_greeting = %d\n", n), 0o644)
	})
}

func links(t *testing.T, s *server) func() {
	for name, target := range map[string]string{
		"a.conf": "b.conf", "b.conf": "a.conf", "c.conf": "/dev/zero", "d.conf": "/proc/self/mem", "e.conf": "/proc/1/environ", "f.conf": ".", "templates": "/",
	} {
		if err := os.Symlink(target, s.path("overrides", name)); err != nil {
			t.Fatal(err)
		}
	}
	return func() {}
}

// hang mounts a FUSE file system whose server never says a word over a directory, and
// has the server look at it.
func hang(place string) func(*testing.T, *server) func() {
	return func(t *testing.T, s *server) func() {
		dir := s.path("certs")
		if place != "certs" {
			dir = s.Environ[place]
		}
		fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err != nil {
			pidgeontest.Gap(t, "no file system can be made to hang here: %v", err)
		}
		mount := s.Enter("mount", "-i", "-t", "fuse", "none", dir, "-o", "fd=3,rootmode=40000,user_id=0,group_id=0")
		mount.ExtraFiles = []*os.File{fuse}
		if out, err := mount.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		s.signal(syscall.SIGHUP)
		write(t, s.path("overrides", "x.conf"), "") // below the mount, where PID 1 has an eye on it
		return func() { fuse.Close() }
	}
}

func unread(t *testing.T, s *server) func() {
	fd, err := syscall.Open(fmt.Sprintf("/proc/%d/fd/2", s.Container.PID()), syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Log.Deafen()
	for err == nil {
		_, err = syscall.Write(fd, bytes.Repeat([]byte("x"), 999))
	}
	syscall.Close(fd)
	return repeatedly(time.Second, func(n int) {
		_ = os.WriteFile(s.path("overrides", "x.conf"), fmt.Appendf(nil, "login_greeting = %d\n", n), 0o644)
	})
}

// many does something in n places at once, each time with an address of its own.
func many(n int, do func(from *net.Dialer)) (end func()) {
	var ends []func()
	for i := range n {
		from := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(i/200), 1+byte(i%200))}}
		ends = append(ends, repeatedly(time.Duration(rand.IntN(100))*time.Millisecond, func(int) { do(from) }))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

func guess(_ *testing.T, s *server) func() {
	return many(200, func(from *net.Dialer) {
		session, err := pidgeontest.Dial(from, s.port())
		if err != nil {
			return
		}
		defer session.Close()
		_ = session.Command(`LOGIN "x master: Error: boo` + strconv.Itoa(rand.Int()) + `" "wrong"`)
	})
}

func silence(port string, n int) func(*testing.T, *server) func() {
	return func(_ *testing.T, s *server) func() {
		return many(n, func(from *net.Dialer) {
			conn, err := from.Dial("tcp", "127.0.0.1:"+s.Environ[port])
			if err != nil {
				return
			}
			defer conn.Close()
			_ = conn.SetReadDeadline(time.Now().Add(underAttack))
			_, _ = io.Copy(io.Discard, conn)
		})
	}
}

func scrape(_ *testing.T, s *server) func() {
	return many(50, func(from *net.Dialer) {
		conn, err := from.Dial("tcp", "127.0.0.1:"+s.Environ["METRICS_PORT"])
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(underAttack))
		page := []string{"", "metrics", "healthz", "readyz"}[rand.IntN(4)]
		request := "GET /" + page + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		if rand.IntN(2) == 0 {
			request = strings.Repeat("\x16\x03 x", 1+rand.IntN(1<<16)) + "\r\n"
		}
		_, _ = io.WriteString(conn, request)
		_, _ = io.Copy(io.Discard, conn)
	})
}

func hups(_ *testing.T, s *server) func() {
	return repeatedly(10*time.Millisecond, func(int) { s.signal(syscall.SIGHUP) })
}
