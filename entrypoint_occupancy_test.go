package main

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"pidgeon/tests/pidgeontest"
)

// cmdShows waits for a line of status.
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

// cmdMeasures waits for a sample; with ! it is not there.
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

// cmdSilent connects and says nothing.
func cmdSilent(ts *testscript.TestScript, _ bool, args []string) {
	var held []*pidgeontest.Session
	for range number(ts, args, 1, 0) {
		s, err := pidgeontest.Connect(ts.Getenv("IMAPS_PORT"), pidgeontest.Patience)
		ts.Check(err)
		held = append(held, s)
	}
	keep(ts, args[0], held)
}

func cmdLeave(ts *testscript.TestScript, _ bool, args []string) {
	for _, s := range sessionsOf(ts)[args[0]] {
		s.Close()
	}
	delete(sessionsOf(ts), args[0])
}
