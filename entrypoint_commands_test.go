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

	"pidgeon/tests/pidgeontest"
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
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(serverOf(ts).Log.All()), 0o644))
	},
	// mark: what was written up to now does not count for the three.
	"mark": func(ts *testscript.TestScript, _ bool, _ []string) { serverOf(ts).Log.Mark() },

	// [!] login USER PASSWORD: over TLS.
	"login": cmdLogin,
	// hold NAME N [FROM]: N sessions of userFROM and those that follow.
	"hold": cmdHold,
	// turnedaway N MAX [FROM]: of N more at most MAX get in.
	"turnedaway": cmdTurnedAway,
	// alive NAME [FOR]: all of them are.
	"alive": cmdAlive,
	// idle NAME: all of them wait for news.
	"idle": cmdIdle,
	// hears NAME TEXT: all of them get a line that ends with it.
	"hears": cmdHears,
	// done NAME: all of them wait no longer.
	"done": cmdDone,
	// bye NAME: all of them are ended with a BYE.
	"bye": cmdBye,

	// silent NAME N: N connections that never log in.
	"silent": cmdSilent,
	// leave NAME: all of them hang up.
	"leave": cmdLeave,
	// shows REGEXP [WITHIN]: status has such a line, or will have.
	"shows": cmdShows,
	// [!] measures SAMPLE: the metrics have that very line, or will have.
	"measures": cmdMeasures,

	// expand FILE...: replaces $NAME in files.
	"expand": cmdExpand,
	// serves CN [WITHIN]: the certificate that is served bears that name.
	"serves": cmdServes,
	// greets REGEXP [WITHIN]: so does the greeting over TLS.
	"greets": cmdGreets,
}

func serverOf(ts *testscript.TestScript) *pidgeontest.Server {
	return ts.Value(serverKey{}).(*pidgeontest.Server)
}

// asInImage lets anyone write to RUN_DIR's default, as the image does.
const asInImage = "install -d -m 1777 /run/pidgeon"

// parseLaunch reads [NAME=VALUE]... [-user UID:GID] [-init] [ARGUMENT]...
func parseLaunch(args []string) (l pidgeontest.Launch) {
	for ; len(args) > 0; args = args[1:] {
		switch name, _, assigned := strings.Cut(args[0], "="); {
		case args[0] == "-init":
			l.Init = true
		case args[0] == "-user" && len(args) > 1:
			l.User, l.Before, args = args[1], asInImage, args[1:]
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
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code, err := serverOf(ts).Run(parseLaunch(args[1:]), ts.Stdout(), ts.Stderr())
	ts.Check(err)
	if code != want {
		ts.Fatalf("exit code %d instead of %d", code, want)
	}
}

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code, err := serverOf(ts).Exit(duration(ts, args, 1, pidgeontest.Patience))
	ts.Check(err)
	if code != want {
		ts.Fatalf("exit code %d instead of %d", code, want)
	}
}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts)
	pid := s.PID()
	if len(args) > 1 {
		pid = s.Find(args[1])
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
	if !pidgeontest.Within(pidgeontest.Patience, func() bool { return len(s.Zombies()) == 0 }) {
		ts.Fatalf("zombies: %v", s.Zombies())
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
	low, err := strconv.Atoi(args[1])
	ts.Check(err)
	high := low
	if len(args) > 2 {
		high, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	found := serverOf(ts).Log.Matches(expression(ts, args))
	if len(found) < low || len(found) > high {
		ts.Fatalf("%d lines instead of %d to %d:\n%s", len(found), low, high, texts(found))
	}
}

func cmdExpand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// expression is the first argument.
func expression(ts *testscript.TestScript, args []string) string {
	_, err := regexp.Compile(args[0])
	ts.Check(err)
	return args[0]
}

func texts(lines []pidgeontest.Line) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
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
