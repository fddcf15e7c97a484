package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pidgeon/tests/pidgeontest"
)

type (
	serverKey   struct{}
	sessionsKey struct{}
)

// scriptCommands are what a script has beyond testscript's own commands;
// testdata/script/README.md says what each of them does.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"start":    cmdStart,
	"pidgeon":  cmdPidgeon,
	"exits":    cmdExits,
	"signal":   cmdSignal,
	"running":  cmdRunning,
	"reaped":   cmdReaped,
	"inside":   cmdInside,
	"shows":    cmdShows,
	"measures": cmdMeasures,

	"log":     cmdLog,
	"nolog":   cmdNoLog,
	"count":   cmdCount,
	"calm":    cmdCalm,
	"mark":    cmdMark,
	"deafen":  cmdDeafen,
	"savelog": cmdSaveLog,

	"login":      cmdLogin,
	"back":       cmdBack,
	"hold":       cmdHold,
	"turnedaway": cmdTurnedAway,
	"alive":      cmdAlive,
	"idle":       cmdIdle,
	"hears":      cmdHears,
	"done":       cmdDone,
	"bye":        cmdBye,
	"silent":     cmdSilent,
	"leave":      cmdLeave,
	"serves":     cmdServes,
	"greets":     cmdGreets,

	"expand": cmdExpand,
}

// TestScriptCommandsAreOnThePage holds the commands and their page to each other.
func TestScriptCommandsAreOnThePage(t *testing.T) {
	page, err := os.ReadFile("testdata/script/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, item := range regexp.MustCompile("(?m)^- `(?:\\[!\\] )?([a-z]+)").FindAllSubmatch(page, -1) {
		there = append(there, string(item[1]))
	}
	slices.Sort(there)
	if commands := slices.Sorted(maps.Keys(scriptCommands)); !slices.Equal(commands, there) {
		t.Errorf("the commands are\n%q, on the page\n%q", commands, there)
	}
}

func serverOf(ts *testscript.TestScript) *pidgeontest.Server {
	return ts.Value(serverKey{}).(*pidgeontest.Server)
}

func sessionsOf(ts *testscript.TestScript) map[string][]*pidgeontest.Session {
	return ts.Value(sessionsKey{}).(map[string][]*pidgeontest.Session)
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

// duration is argument i, or fallback where there is none.
func duration(ts *testscript.TestScript, args []string, i int, fallback time.Duration) time.Duration {
	if len(args) <= i {
		return fallback
	}
	d, err := time.ParseDuration(args[i])
	ts.Check(err)
	return d
}

// number is argument i, or fallback where there is none.
func number(ts *testscript.TestScript, args []string, i, fallback int) int {
	if len(args) <= i {
		return fallback
	}
	n, err := strconv.Atoi(args[i])
	ts.Check(err)
	return n
}
