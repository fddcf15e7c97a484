package main

import (
	"net"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pidgeon/tests/pidgeontest"
)

func cmdLogin(ts *testscript.TestScript, neg bool, args []string) {
	var err error
	in := func() bool {
		var s *pidgeontest.Session
		if s, err = pidgeontest.LogIn(ts.Getenv("IMAPS_PORT"), args[0], args[1], pidgeontest.Patience); err == nil {
			s.Close()
		}
		return (err != nil) == neg
	}
	if !pidgeontest.Within(duration(ts, args, 2, 0), in) {
		ts.Fatalf("login: %v", err)
	}
}

// missed is how long clients may be without service while health does not say so.
const missed = 5 * time.Second

func cmdBack(ts *testscript.TestScript, _ bool, args []string) {
	var err error
	in := func() bool {
		if len(args) > 0 {
			err = ts.Exec(args[0], args[1:]...)
			return err == nil
		}
		var s *pidgeontest.Session
		if s, err = pidgeontest.LogIn(ts.Getenv("IMAPS_PORT"), "alice", "secret", missed/2); err == nil {
			s.Close()
		}
		return err == nil
	}
	for end := time.Now().Add(pidgeontest.Patience); !pidgeontest.Within(missed, in); {
		code, fault := serverOf(ts).Run(pidgeontest.Launch{Args: []string{"health"}}, ts.Stdout(), ts.Stderr())
		ts.Check(fault)
		if code == 0 || time.Now().After(end) {
			ts.Fatalf("back: %v, and health exits with %d", err, code)
		}
		ts.Logf("nobody gets in, and health says so: %v", err)
	}
}

func cmdHold(ts *testscript.TestScript, _ bool, args []string) {
	held, errs := pidgeontest.Hold(ts.Getenv("IMAPS_PORT"), number(ts, args, 1, 0), number(ts, args, 2, 0), pidgeontest.Patience, 8)
	keep(ts, args[0], held)
	if len(errs) > 0 {
		ts.Fatalf("%d held, %d not: %v", len(held), len(errs), errs[0])
	}
}

// turnPatience is enough for a login that succeeds while others wait in vain.
const turnPatience = 5 * time.Second

func cmdTurnedAway(ts *testscript.TestScript, _ bool, args []string) {
	n, most := number(ts, args, 0, 0), number(ts, args, 1, 0)
	held, _ := pidgeontest.Hold(ts.Getenv("IMAPS_PORT"), n, number(ts, args, 2, 900), turnPatience, n)
	for _, s := range held {
		s.Close()
	}
	ts.Logf("%d of %d got in", len(held), n)
	if len(held) > most {
		ts.Fatalf("%d got in, at most %d should", len(held), most)
	}
}

func cmdAlive(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(duration(ts, args, 1, 0)); ; time.Sleep(time.Second) {
		for i, s := range heldAs(ts, args[0]) {
			if err := s.Alive(); err != nil {
				ts.Fatalf("session %d is dead: %v", i, err)
			}
		}
		if !time.Now().Before(end) {
			return
		}
	}
}

func cmdIdle(ts *testscript.TestScript, _ bool, args []string) {
	for _, s := range heldAs(ts, args[0]) {
		ts.Check(s.Idle())
	}
}

func cmdHears(ts *testscript.TestScript, _ bool, args []string) {
	for _, s := range heldAs(ts, args[0]) {
		ts.Check(s.Hears(args[1]))
	}
}

func cmdDone(ts *testscript.TestScript, _ bool, args []string) {
	for _, s := range heldAs(ts, args[0]) {
		ts.Check(s.Done())
	}
}

func cmdBye(ts *testscript.TestScript, _ bool, args []string) {
	for i, s := range heldAs(ts, args[0]) {
		if !s.Bye() {
			ts.Fatalf("session %d ended without BYE: %v", i, s.Told)
		}
	}
}

func cmdSilent(ts *testscript.TestScript, _ bool, args []string) {
	var held []*pidgeontest.Session
	for range number(ts, args, 1, 0) {
		s, err := pidgeontest.Connect(&net.Dialer{Timeout: pidgeontest.Patience}, ts.Getenv("IMAPS_PORT"))
		ts.Check(err)
		held = append(held, s)
	}
	keep(ts, args[0], held)
}

func cmdLeave(ts *testscript.TestScript, _ bool, args []string) {
	for _, s := range heldAs(ts, args[0]) {
		s.Close()
	}
	delete(sessionsOf(ts), args[0])
}

func cmdServes(ts *testscript.TestScript, _ bool, args []string) {
	meets(ts, args, func(s *pidgeontest.Session) (string, bool) {
		return s.Certificate(), s.Certificate() == args[0]
	})
}

func cmdGreets(ts *testscript.TestScript, _ bool, args []string) {
	wanted := regexp.MustCompile(expression(ts, args))
	meets(ts, args, func(s *pidgeontest.Session) (string, bool) {
		return s.Greeting, wanted.MatchString(s.Greeting)
	})
}

// meets connects until what the client sees is right.
func meets(ts *testscript.TestScript, args []string, look func(*pidgeontest.Session) (saw string, right bool)) {
	last := ""
	right := func() (ok bool) {
		s, err := pidgeontest.Greeted(ts.Getenv("IMAPS_PORT"), pidgeontest.Patience)
		if err != nil {
			last = err.Error()
			return false
		}
		defer s.Close()
		last, ok = look(s)
		return ok
	}
	if limit := duration(ts, args, 1, pidgeontest.Patience); !pidgeontest.Within(limit, right) {
		ts.Fatalf("the client sees %s", last)
	}
}

// heldAs are the sessions that were held under a name.
func heldAs(ts *testscript.TestScript, name string) []*pidgeontest.Session {
	return sessionsOf(ts)[name]
}

// keep remembers sessions, so that they stay open until the script ends.
func keep(ts *testscript.TestScript, name string, held []*pidgeontest.Session) {
	all := sessionsOf(ts)
	all[name] = append(all[name], held...)
	ts.Defer(func() {
		for _, s := range held {
			s.Close()
		}
	})
}
