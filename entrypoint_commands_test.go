package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

type (
	serverKey   struct{}
	sessionsKey struct{}
)

// scriptCommands are what a script has beyond testscript's own commands.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// start [NAME=VALUE]... [-user UID:GID] [-init] [ARGUMENT]...: a server in the
	// background, as PID 1 or, with -init, below a shell that is.
	// Its PID is in $PID.
	"start": cmdStart,
	// pidgeon CODE [NAME=VALUE]... [-user UID:GID] [ARGUMENT]...: to its end.
	"pidgeon": cmdPidgeon,
	// exits CODE [WITHIN]: the server has ended, or does so.
	"exits": cmdExits,
	// signal NAME [PROCESS]: to pidgeon, or to the first process of that name.
	"signal": cmdSignal,
	// [!] running PROCESS [WITHIN]: there is one of that name, or will be.
	"running": cmdRunning,
	// reaped: nobody is left a zombie.
	"reaped": cmdReaped,
	// inside COMMAND...: in the server's namespaces.
	"inside": cmdInside,

	// log REGEXP [WITHIN]: the server has written such a line, or does so.
	"log": cmdLog,
	// nolog REGEXP [FOR]: it has not, and does not.
	"nolog": cmdNoLog,
	// calm: Dovecot has complained of nothing.
	"calm": cmdCalm,
	// count REGEXP MIN [MAX]: it has written so many such lines.
	"count": cmdCount,
	// savelog FILE: all that it has written.
	"savelog": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(serverOf(ts).log.all()), 0o644))
	},
	// mark: what was written up to now does not count for the three.
	"mark": func(ts *testscript.TestScript, _ bool, _ []string) { serverOf(ts).log.forget() },

	// [!] login USER PASSWORD: over TLS.
	"login": cmdLogin,
	// hold NAME N [FROM]: N sessions of userFROM and those that follow.
	"hold": cmdHold,
	// turnedaway N MAX [FROM]: of N more at most MAX get in.
	"turnedaway": cmdTurnedAway,
	// alive NAME [FOR]: all of them are.
	"alive": cmdAlive,
	// bye NAME: all of them are ended with a BYE.
	"bye": cmdBye,

	// expand FILE...: replaces $NAME in files.
	"expand": cmdExpand,
	// serves CN [WITHIN]: the certificate that is served bears that name.
	"serves": cmdServes,
	// greets REGEXP [WITHIN]: so does the greeting over TLS.
	"greets": cmdGreets,
}

func serverOf(ts *testscript.TestScript) *server { return ts.Value(serverKey{}).(*server) }

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts)
	ts.Check(s.start(parseLaunch(args)))
	ts.Setenv("PID", strconv.Itoa(s.pid))
}

func cmdPidgeon(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code, err := serverOf(ts).run(parseLaunch(args[1:]), ts.Stdout(), ts.Stderr())
	ts.Check(err)
	if code != want {
		ts.Fatalf("exit code %d instead of %d", code, want)
	}
}

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	s := serverOf(ts)
	if limit := duration(ts, args, 1, patience); !within(limit, s.over) {
		ts.Fatalf("not ended within %v", limit)
	}
	status := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	if code != want {
		ts.Fatalf("exit code %d instead of %d", code, want)
	}
}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts)
	pid := s.pid
	if len(args) > 1 {
		pid = s.find(args[1])
	}
	sig := unix.SignalNum("SIG" + args[0])
	if sig == 0 || pid == 0 {
		ts.Fatalf("no such signal or process: %v", args)
	}
	ts.Check(syscall.Kill(pid, sig))
}

func cmdRunning(ts *testscript.TestScript, neg bool, args []string) {
	s := serverOf(ts)
	limit := duration(ts, args, 1, patience)
	if !within(limit, func() bool { return s.find(args[0]) != 0 != neg }) {
		ts.Fatalf("processes: %v", s.processes())
	}
}

func cmdReaped(ts *testscript.TestScript, _ bool, _ []string) {
	s := serverOf(ts)
	if !within(patience, func() bool { return len(s.zombies()) == 0 }) {
		ts.Fatalf("zombies: %v", s.zombies())
	}
}

func cmdInside(ts *testscript.TestScript, neg bool, args []string) {
	target := strconv.Itoa(serverOf(ts).pid)
	cmd := exec.Command("nsenter", append([]string{"-t", target, "-p", "-m", "-r", "-w", "--"}, args...)...)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || (err != nil) != neg {
		ts.Fatalf("inside: %v", err)
	}
}

func cmdLog(ts *testscript.TestScript, _ bool, args []string) {
	pattern, limit := expression(ts, args), duration(ts, args, 1, patience)
	if !serverOf(ts).log.await(pattern, limit) {
		ts.Fatalf("no line matches %s within %v", pattern, limit)
	}
}

func cmdNoLog(ts *testscript.TestScript, _ bool, args []string) {
	log := serverOf(ts).log
	if pattern := expression(ts, args); log.await(pattern, duration(ts, args, 1, 0)) {
		ts.Fatalf("lines match %s:\n%s", pattern, strings.Join(log.matches(pattern), "\n"))
	}
}

var (
	complaint = regexp.MustCompile(`(Warning|Error|Fatal|Panic): `)
	announced = regexp.MustCompile(`Warning: (SIGHUP received|Killed with signal 15|Shutting down logging)`)
)

func cmdCalm(ts *testscript.TestScript, _ bool, _ []string) {
	for _, line := range serverOf(ts).log.matches(complaint) {
		if !announced.MatchString(line) {
			ts.Fatalf("Dovecot complains: %s", line)
		}
	}
}

func cmdCount(ts *testscript.TestScript, _ bool, args []string) {
	low, err := strconv.Atoi(args[1])
	ts.Check(err)
	high := low
	if len(args) > 2 {
		high, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	found := serverOf(ts).log.matches(expression(ts, args))
	if len(found) < low || len(found) > high {
		ts.Fatalf("%d lines instead of %d to %d:\n%s", len(found), low, high, strings.Join(found, "\n"))
	}
}

func cmdExpand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

func expression(ts *testscript.TestScript, args []string) *regexp.Regexp {
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	return pattern
}

// duration is argument i, or fallback where there is none.
func duration(ts *testscript.TestScript, args []string, i int, fallback time.Duration) time.Duration {
	if len(args) <= i {
		return fallback
	}
	d, err := time.ParseDuration(args[i])
	ts.Check(err)
	return d
}

// TestScriptNames keeps the paths of Dovecot's sockets within what the kernel
// takes: they lie up to 60 bytes below RUN_DIR, which bears the script's name.
func TestScriptNames(t *testing.T) {
	scripts, err := os.ReadDir("testdata/script")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		if name, ok := strings.CutSuffix(script.Name(), ".txtar"); !ok || len(name) > 12 {
			t.Errorf("%s: not .txtar, or a name of more than 12 letters", script.Name())
		}
	}
}
