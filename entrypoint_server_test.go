package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"pidgeon/tests/pidgeontest"
)

// asInImage lets anyone write to RUN_DIR's default, as the image does.
const asInImage = "install -d -m 1777 /run/pidgeon"

// likeImage has what an image of the operator's would hold: the script's etc/, certs/ and
// mail/ at their places in examples/, and what its Dockerfile runs.
const likeImage = `work=${RUN_DIR%/run}
mount --bind $work/etc /etc/dovecot; mount --bind $work/certs /certs; mount --bind $work/mail /srv/mail
if [ -e $work/prepare ]; then . $work/prepare; fi`

// parseLaunch reads [NAME=VALUE]... [-user UID:GID] [-init] [-image] [ARGUMENT]...
func parseLaunch(args []string) (l pidgeontest.Launch) {
	for ; len(args) > 0; args = args[1:] {
		switch name, _, assigned := strings.Cut(args[0], "="); {
		case args[0] == "-init":
			l.Init = true
		case args[0] == "-image":
			l.Before = likeImage
		case args[0] == "-user" && len(args) > 1:
			l.User, l.Before, args = args[1], asInImage, args[1:]
		case args[0] == "-files" && len(args) > 1:
			l.Before, args = "ulimit -n "+args[1], args[1:]
		case assigned && name == strings.ToUpper(name):
			l.Environ = append(l.Environ, args[0])
		default:
			l.Args = args
			return l
		}
	}
	return l
}

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts)
	ts.Check(s.Start(parseLaunch(args)))
	ts.Setenv("PID", strconv.Itoa(s.PID()))
}

func cmdPidgeon(ts *testscript.TestScript, _ bool, args []string) {
	want := number(ts, args, 0, 0)
	code, err := serverOf(ts).Run(parseLaunch(args[1:]), ts.Stdout(), ts.Stderr())
	ts.Check(err)
	if code != want {
		ts.Fatalf("exit code %d instead of %d", code, want)
	}
}

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want := number(ts, args, 0, 0)
	code, err := serverOf(ts).Exit(duration(ts, args, 1, pidgeontest.Patience))
	ts.Check(err)
	if code != want {
		ts.Fatalf("exit code %d instead of %d", code, want)
	}
}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts)
	pid := s.PID()
	if len(args) > 1 { // a reload may be replacing it
		pidgeontest.Within(pidgeontest.Patience, func() bool { pid = s.Find(args[1]); return pid != 0 })
	}
	sig := unix.SignalNum("SIG" + args[0])
	if sig == 0 || pid == 0 {
		ts.Fatalf("no such signal or process: %v", args)
	}
	ts.Check(syscall.Kill(pid, sig))
}

func cmdRunning(ts *testscript.TestScript, neg bool, args []string) {
	s := serverOf(ts)
	limit := duration(ts, args, 1, pidgeontest.Patience)
	if !pidgeontest.Within(limit, func() bool { return s.Find(args[0]) != 0 != neg }) {
		ts.Fatalf("processes: %v", s.Processes())
	}
}

func cmdReaped(ts *testscript.TestScript, _ bool, _ []string) {
	s := serverOf(ts)
	if !pidgeontest.Within(pidgeontest.Patience, func() bool { return !slices.ContainsFunc(s.Processes(), pidgeontest.Process.Zombie) }) {
		ts.Fatalf("processes: %v", s.Processes())
	}
}

func cmdInside(ts *testscript.TestScript, neg bool, args []string) {
	cmd := serverOf(ts).Enter(args...)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || (err != nil) != neg {
		ts.Fatalf("inside: %v", err)
	}
}

func cmdShows(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	var out bytes.Buffer
	shown := func() bool {
		out.Reset()
		_, err := serverOf(ts).Run(pidgeontest.Launch{Args: []string{"status"}}, &out, &out)
		ts.Check(err)
		return pattern.Match(out.Bytes())
	}
	if limit := duration(ts, args, 1, pidgeontest.Patience); !pidgeontest.Within(limit, shown) {
		ts.Fatalf("status shows\n%s", &out)
	}
}

func cmdMeasures(ts *testscript.TestScript, neg bool, args []string) {
	client := http.Client{Timeout: pidgeontest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	var body []byte
	there := func() bool {
		response, err := client.Get("http://127.0.0.1:" + ts.Getenv("METRICS_PORT") + "/metrics")
		if err != nil {
			body = []byte(err.Error())
			return false
		}
		defer response.Body.Close()
		body, err = io.ReadAll(response.Body)
		ts.Check(err)
		return slices.Contains(strings.Split(string(body), "\n"), strings.Join(args, " ")) != neg
	}
	if !pidgeontest.Within(pidgeontest.Patience, there) {
		ts.Fatalf("the metrics are\n%s", body)
	}
}

func cmdLog(ts *testscript.TestScript, _ bool, args []string) {
	pattern, limit := expression(ts, args), duration(ts, args, 1, pidgeontest.Patience)
	if !serverOf(ts).Log.Await(pattern, limit) {
		ts.Fatalf("no line matches %s within %v", pattern, limit)
	}
}

func cmdNoLog(ts *testscript.TestScript, _ bool, args []string) {
	log := serverOf(ts).Log
	if pattern := expression(ts, args); log.Await(pattern, duration(ts, args, 1, 0)) {
		ts.Fatalf("lines match %s:\n%s", pattern, texts(log.Matches(pattern)))
	}
}

const complaint = `(Warning|Error|Fatal|Panic): `

var announced = regexp.MustCompile(`Warning: (SIGHUP received|Killed with signal 15|Shutting down logging)`)

func cmdCalm(ts *testscript.TestScript, _ bool, _ []string) {
	for _, line := range serverOf(ts).Log.Matches(complaint) {
		if !announced.MatchString(line.Text) {
			ts.Fatalf("Dovecot complains: %s", line.Text)
		}
	}
}

func cmdCount(ts *testscript.TestScript, _ bool, args []string) {
	low := number(ts, args, 1, 0)
	high := number(ts, args, 2, low)
	found := serverOf(ts).Log.Matches(expression(ts, args))
	if len(found) < low || len(found) > high {
		ts.Fatalf("%d lines instead of %d to %d:\n%s", len(found), low, high, texts(found))
	}
}

func cmdMark(ts *testscript.TestScript, _ bool, _ []string) { serverOf(ts).Log.Mark() }

func cmdDeafen(ts *testscript.TestScript, _ bool, _ []string) { serverOf(ts).Log.Deafen() }

func cmdSaveLog(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(serverOf(ts).Log.All()), 0o644))
}

func texts(lines []pidgeontest.Line) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}
