package lifecycle

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pidgeon/candidate"
	"pidgeon/config"
	"pidgeon/finding"
)

var at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// sum is a fingerprint, or an effect, by a letter.
func sum(letter string) config.Sum { return config.Sum(letter) }

func known(letter string) candidate.Subject {
	return candidate.Subject{Fingerprint: sum(letter), References: []string{"/" + letter}}
}

// verdict is on a candidate that is called a letter, and lies in gen-LETTER.
func verdict(outcome candidate.Outcome, letter string) candidate.Verdict {
	v := candidate.Verdict{Outcome: outcome, Subject: known(letter), Effect: sum(letter)}
	switch outcome {
	case candidate.Passed:
		v.Dir = "/run/gen-" + letter
		v.Listeners = []config.Listener{{Name: "imaps", Port: 993}}
		v.Digests = map[string]config.Sum{letter: sum(letter)}
	case candidate.Refused, candidate.Undecided:
		v.Findings = finding.List{{Problem: letter + " is wrong"}, {Problem: "a warning", Warning: true}}
	}
	return v
}

func passed(letter string) Judged  { return Judged{Verdict: verdict(candidate.Passed, letter)} }
func refused(letter string) Judged { return Judged{Verdict: verdict(candidate.Refused, letter)} }

func undecided(letter string) Judged { return Judged{Verdict: verdict(candidate.Undecided, letter)} }

func unchanged(letter string) Judged { return Judged{Verdict: verdict(candidate.Unchanged, letter)} }

func trusted(letter string, worked bool) Judged {
	j := passed(letter)
	j.Trusted, j.Worked = true, worked
	return j
}

func (e Judged) forced() Judged { e.Forced = true; return e }
func (e Judged) moved() Judged  { e.Moved = true; return e }
func (e Judged) slow() Judged   { e.Slow = true; return e }
func (e Judged) ofGood() Judged { e.Request.LastGood = true; return e }
func (e Judged) effect(letter string) Judged {
	e.Effect = sum(letter)
	return e
}

func confirmed(why Why) Confirmed {
	return Confirmed{Reload: Reload{Why: why}, Greeted: []string{"imaps"}}
}

func (e Confirmed) after(deaths int) Confirmed { e.Deaths = deaths; return e }
func (e Confirmed) silent(name string) Confirmed {
	e.Silent = map[string]string{name: "EOF"}
	return e
}

func unconfirmed(why Why, whole bool) Unconfirmed {
	return Unconfirmed{Reload: Reload{Why: why}, Reasons: []string{"Dovecot refused"}, Whole: whole}
}

func (e Unconfirmed) mute() Unconfirmed { e.Mute = true; return e }

// words are actions in short: what a table can show.
func words(actions []Action) (all []string) {
	for _, action := range actions {
		word := ""
		switch a := action.(type) {
		case Judge:
			word = "judge"
			for _, flag := range []struct {
				is   bool
				name string
			}{
				{a.Request.LastGood, "good"},
				{a.Request.Trust, "trust"},
				{a.Forced, "forced"},
				{a.Sweep, "sweep"},
				{a.Request.Proven != "", "proven"},
			} {
				if flag.is {
					word += " " + flag.name
				}
			}
		case Start:
			word = "start " + a.Dir
		case Reload:
			word = [...]string{"greet", "advance", "repeat", "undo", "mend"}[a.Why] + " " + a.Generation.Dir
		case Keep:
			word = "keep " + a.Generation.Dir
		case Publish:
			word = "publish " + a.Dir
		case Discard:
			word = "discard " + a.Dir
		case Started:
			word = "started " + a.Generation.Dir
		case Say:
			word = a.Message
			if i := slices.Index(a.Facts, any("reason")); i >= 0 {
				word += ": " + fmt.Sprint(a.Facts[i+1])
			}
		}
		all = append(all, strings.ReplaceAll(word, "/run/gen-", ""))
	}
	return all
}

// story is a state that events have led to.
func story(events ...Event) State {
	return from(State{Policy: Policy{LastGood: true, Trust: true}}, events...)
}

// later is that some time has passed.
type later time.Duration

func from(s State, events ...Event) State {
	now := at
	for _, e := range events {
		if passed, ok := e.(later); ok {
			now, e = now.Add(time.Duration(passed)), Due{}
		}
		s, _ = s.On(now, e)
	}
	return s
}

// serving serves a.
func serving() State {
	return story(Opened{}, passed("a"), Ready{}, confirmed(Greet))
}

func TestOn(t *testing.T) {
	judging := from(serving(), Woken{})
	degraded := from(judging, refused("b"))
	reloading := from(judging, passed("b"))
	unjudged := story(Opened{}, trusted("a", false), Ready{})
	worked := story(Opened{}, trusted("a", true), Ready{})
	strict := State{}
	died := from(serving(), Died{"anvil"})
	silent := confirmed(Greet).silent("imaps")
	undoing := from(reloading, unconfirmed(Advance, false), unconfirmed(Undo, false))
	tests := []struct {
		name  string
		state State
		event Event
		phase Phase
		does  string // actions, joined by "; "
	}{
		{"it begins", story(), Opened{}, Starting, "judge trust"},
		{"nothing is trusted with ON_INVALID=fail", strict, Opened{}, Starting, "judge"},
		{"what passes is started", story(Opened{}), passed("a"), Starting, "start a"},
		{"what is trusted too", story(Opened{}), trusted("a", false), Starting, "started ahead of the judgement; start a"},
		{"what moves meanwhile is judged again", story(Opened{}), passed("a").moved(), Starting, "discard a; judge"},
		{"what is refused gives way to what worked", story(Opened{}), refused("a"), Starting, "judge good"},
		{"so does what cannot be judged", story(Opened{}), undecided("a"), Starting, "judge good"},
		{"not with ON_INVALID=fail", from(strict, Opened{}), refused("a"), Stopping, "configuration cannot be used: a is wrong"},
		{"what worked is started, and told", story(Opened{}, refused("a")), passed("g").ofGood(), Starting, "refused: a is wrong; starting with the last good configuration; start g"},
		{"nothing is left if that is refused too", story(Opened{}, refused("a")), refused("g").ofGood(), Stopping, "configuration cannot be used: a is wrong; configuration cannot be used: g is wrong"},
		{"the same reason is told once", story(Opened{}, refused("a")), refused("a").ofGood(), Stopping, "configuration cannot be used: a is wrong"},
		{"what does not come to serve ends it", story(Opened{}, passed("a")), Failed{ExitCode: 1}, Stopping, ""},
		{"so does what cannot be started", story(Opened{}, passed("a")), Failed{Reasons: []string{"no such file"}, ExitCode: 78}, Stopping, "configuration cannot be used: no such file"},
		{"it serves", story(Opened{}, passed("a")), Ready{}, Reloading, "started a; keep a; greet a"},
		{"what worked is not kept again", story(Opened{}, refused("a"), passed("g").ofGood()), Ready{}, Reloading, "started g; greet g"},
		{"what is trusted is judged when it serves", story(Opened{}, trusted("a", false)), Ready{}, Judging, "judge"},
		{"and not rehearsed if it worked", story(Opened{}, trusted("a", true)), Ready{}, Judging, "judge proven"},
		{"it settles", story(Opened{}, passed("a"), Ready{}), confirmed(Greet), Serving, ""},
		{"what came meanwhile is looked at then", story(Opened{}, Woken{}, passed("a"), Ready{}), confirmed(Greet), Judging, "judge"},
		{"an end while it starts is the end", story(Opened{}, passed("a")), Ended{}, Stopping, ""},
		{"what was trusted and does not start is judged", story(Opened{}, trusted("a", true)), Ended{}, Starting, "Dovecot does not start with what was not judged yet: judging it; judge sweep"},
		{"once", story(Opened{}, trusted("a", true), Ended{}, passed("a")), Ended{}, Stopping, ""},

		{"what was trusted passes", unjudged, passed("a"), Reloading, "discard a; started a; keep a; greet a"},
		{"what was trusted is refused and never worked", unjudged, refused("a"), Stopping, "configuration cannot be used: a is wrong"},
		{"what was trusted is refused and has worked", worked, refused("a"), Reloading, "refused: a is wrong; started a; greet a"},
		{"another is refused after a start on trust", unjudged, refused("b"), Reloading, "refused: b is wrong; started a; greet a"},
		{"another passes after a start on trust", unjudged, passed("b"), Reloading, "changed; advance b"},
		{"and is confirmed", from(unjudged, passed("b")), confirmed(Advance), Serving, "reloaded; keep b; started b"},
		{"or is not", from(unjudged, passed("b")), unconfirmed(Advance, true), Serving, "publish a; refused: Dovecot refused; discard b; started a"},
		{"or in part", from(unjudged, passed("b"), unconfirmed(Advance, false)), confirmed(Undo), Serving, "refused: Dovecot refused; discard b; started a"},
		{"its end while it is judged is the end", unjudged, Ended{}, Stopping, ""},

		{"a change is judged", serving(), Woken{}, Judging, "judge"},
		{"HUP is", serving(), Forced{}, Judging, "judge forced"},
		{"a change waits while one is judged", judging, Woken{}, Judging, ""},
		{"nothing new is nothing", judging, unchanged("a"), Serving, ""},
		{"nothing new is reloaded with HUP", judging, unchanged("a").forced(), Reloading, "repeat a"},
		{"what passes is loaded", judging, passed("b"), Reloading, "changed; advance b"},
		{"what has no effect is not", judging, passed("b").effect("a"), Serving, "discard b; changed without effect"},
		{"but with HUP", judging, passed("b").effect("a").forced(), Reloading, "changed; advance b"},
		{"what moved is judged again", judging, passed("b").moved(), Judging, "discard b; judge"},
		{"so is what was refused", judging, refused("b").moved(), Judging, "judge"},
		{"who never stops writing gets a verdict", from(judging, refused("b").moved(), refused("b").moved(), refused("b").moved(), refused("b").moved()), refused("b").moved(), Serving, "refused: b is wrong"},
		{"HUP stays one over it", judging, refused("b").moved().forced(), Judging, "judge forced"},
		{"what is refused is told", judging, refused("b"), Serving, "refused: b is wrong"},
		{"with HUP what runs is loaded again", judging, refused("b").forced(), Reloading, "refused: b is wrong; repeat a"},
		{"what cannot be judged is told", judging, undecided("b"), Serving, "refused: b is wrong"},
		{"once", from(judging, undecided("b"), Woken{}), undecided("b"), Serving, ""},
		{"what was refused is taken back", from(degraded, Woken{}), unchanged("a"), Serving, "taken back"},
		{"what worked and was refused is not", from(worked, refused("a"), confirmed(Greet), Woken{}), unchanged("a"), Serving, ""},
		{"it is not while it is there", from(degraded, Woken{}), unchanged("b"), Serving, ""},
		{"what came meanwhile is judged then", from(judging, Woken{}), refused("b"), Judging, "refused: b is wrong; judge"},
		{"HUP that came meanwhile too", from(judging, Forced{}), refused("b"), Judging, "refused: b is wrong; judge forced"},

		{"it is in force", reloading, confirmed(Advance), Serving, "reloaded; keep b"},
		{"Dovecot refuses it", reloading, unconfirmed(Advance, true), Serving, "publish a; refused: Dovecot refused; discard b"},
		{"Dovecot carries it out in part", reloading, unconfirmed(Advance, false), Reloading, "undo a"},
		{"that is undone", from(reloading, unconfirmed(Advance, false)), confirmed(Undo), Serving, "refused: Dovecot refused; discard b"},
		{"or cannot be", from(reloading, unconfirmed(Advance, false)), unconfirmed(Undo, false), Serving, "previous generation not reloaded; refused: Dovecot refused"},
		{"a repeated one is confirmed", from(judging, unchanged("a").forced()), confirmed(Repeat), Serving, "reloaded"},
		{"or is not", from(judging, unchanged("a").forced()), unconfirmed(Repeat, true), Serving, "reload not carried out"},

		{"what dies is proven back", serving(), Died{"auth"}, Reloading, "a process of Dovecot's has ended; greet a"},
		{"anvil takes a reload", serving(), Died{"anvil"}, Reloading, "a process of Dovecot's has ended; mend a"},
		{"the log takes a reload", serving(), Died{"log"}, Reloading, "a process of Dovecot's has ended; mend a"},
		{"that is the end of it", died, confirmed(Mend).after(1), Serving, "reloaded; all listeners greet again"},
		{"but not if more has died", from(died, Died{"auth"}), confirmed(Mend).after(1), Reloading, "reloaded; mend a"},
		{"what dies while it judges is proven then", from(judging, Died{"anvil"}), refused("b"), Reloading, "refused: b is wrong; mend a"},
		{"and what came meanwhile is judged after that", from(judging, Died{"anvil"}, Woken{}, refused("b")), confirmed(Mend).after(1), Judging, "reloaded; all listeners greet again; judge"},
		{"silence is not mended at once", serving(), silent, Serving, ""},
		{"but asked again", from(serving(), silent), later(time.Second), Reloading, "greet a"},
		{"until it ends", from(serving(), silent, later(time.Second)), confirmed(Greet), Serving, "all listeners greet again"},
		{"an undo that failed is tried again", undoing, later(time.Second), Reloading, "mend a"},
		{"not at once", undoing, Woken{}, Judging, "judge"},
		{"until it is confirmed", from(undoing, later(time.Second)), confirmed(Mend), Serving, "reloaded; all listeners greet again"},
		{"after a longer time", from(undoing, later(time.Second), unconfirmed(Mend, true)), later(time.Second), Serving, ""},
		{"and a longer one", from(undoing, later(time.Second), unconfirmed(Mend, true)), later(3 * time.Second), Reloading, "mend a"},
		{"a repeated one that failed in part too", from(judging, unchanged("a").forced(), unconfirmed(Repeat, false)), later(time.Second), Reloading, "mend a"},
		{"a change in part is tried again when its time has come", from(reloading, unconfirmed(Advance, false), confirmed(Undo)), later(time.Minute), Judging, "judge"},

		{"a stop while it starts", story(Opened{}), Stop{}, Stopping, ""},
		{"a stop while it serves", serving(), Stop{}, Stopping, ""},
		{"a stop while it judges", judging, Stop{}, Stopping, ""},
		{"a stop while it reloads", reloading, Stop{}, Stopping, ""},
		{"the end of Dovecot", serving(), Ended{}, Stopping, ""},
		{"nothing follows a stop", from(serving(), Stop{}), Woken{}, Stopping, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := fmt.Sprintf("%+v", tt.state)
			now, event := at, tt.event
			if passed, ok := event.(later); ok {
				now, event = now.Add(time.Duration(passed)), Due{}
			}
			after, actions := tt.state.On(now, event)
			if does := strings.Join(words(actions), "; "); after.Phase != tt.phase || does != tt.does {
				t.Errorf("phase %d and %q\nwant  %d and %q", after.Phase, does, tt.phase, tt.does)
			}
			if now := fmt.Sprintf("%+v", tt.state); now != before {
				t.Errorf("the state before has changed:\n%s\n%s", before, now)
			}
		})
	}
}

// What a judgement need not judge again, and what it is told of what runs.
func TestRequests(t *testing.T) {
	judging := from(serving(), Woken{})
	slow := from(judging, undecided("b").slow())
	inPart := from(judging, passed("b"), unconfirmed(Advance, false), confirmed(Undo))
	for _, tt := range []struct {
		name  string
		state State
		event Event
		at    time.Time
		known string
		live  bool
	}{
		{"at the start nothing is known", story(), Opened{}, at, "", false},
		{"what was trusted has to be judged", story(Opened{}, trusted("a", false)), Ready{}, at, "", true},
		{"what runs is known", serving(), Woken{}, at, "a", true},
		{"unless it was refused since", from(story(Opened{}, trusted("a", true), Ready{}), refused("a"), confirmed(Greet)), Forced{}, at, "", true},
		{"or could not be judged", from(story(Opened{}, trusted("a", true), Ready{}), undecided("a"), confirmed(Greet)), Woken{}, at, "", true},
		{"so is what was refused", from(judging, refused("b")), Woken{}, at, "ab", true},
		{"not for who asks", from(judging, refused("b")), Forced{}, at, "a", true},
		{"what could not be judged is judged again", from(judging, undecided("b")), Woken{}, at, "a", true},
		{"but later if it took long", slow, Woken{}, at.Add(59 * time.Second), "ab", true},
		{"when its time has come", slow, Due{}, at.Add(time.Minute), "a", true},
		{"or who asks", slow, Forced{}, at, "a", true},
		{"what Dovecot refused as a whole is tried again", from(judging, passed("b"), unconfirmed(Advance, true)), Woken{}, at, "a", true},
		{"what it did in part is, but later", inPart, Woken{}, at.Add(59 * time.Second), "ab", true},
		{"when its time has come", inPart, Due{}, at.Add(time.Minute), "a", true},
		{"and later still", from(inPart, later(time.Minute), passed("b"), unconfirmed(Advance, false), confirmed(Undo)), Woken{}, at.Add(2 * time.Minute), "ab", true},
		{"what takes a listener away is not", from(judging, passed("b"), unconfirmed(Advance, false).mute(), confirmed(Undo)), Woken{}, at.Add(time.Hour), "ab", true},
		{"after a start with what worked the refused one is known", story(Opened{}, refused("b"), passed("g").ofGood(), Ready{}, confirmed(Greet)), Woken{}, at, "gb", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, actions := tt.state.On(tt.at, tt.event)
			request := actions[len(actions)-1].(Judge).Request
			got := ""
			for _, k := range request.Known {
				got += string(k.Fingerprint)
			}
			if got != tt.known || request.Live.Running != tt.live {
				t.Errorf("known %q, running %t", got, request.Live.Running)
			}
		})
	}
}

func TestReady(t *testing.T) {
	for _, tt := range []struct {
		name            string
		state           State
		ready, degraded bool
	}{
		{"nothing runs", story(Opened{}), false, false},
		{"it is starting", story(Opened{}, passed("a")), false, false},
		{"it serves", serving(), true, false},
		{"it serves and was not judged", story(Opened{}, trusted("a", true), Ready{}), false, false},
		{"it was judged", story(Opened{}, trusted("a", true), Ready{}, passed("a")), true, false},
		{"another was refused", from(serving(), Woken{}, refused("b")), true, true},
		{"the refused one is judged again", from(serving(), Woken{}, refused("b"), Woken{}), true, true},
		{"a process has died", from(serving(), Died{"auth"}), false, false},
		{"clients get in all the same", from(serving(), Died{"auth"}, confirmed(Greet).after(1)), true, false},
		{"they do not", from(serving(), Died{"auth"}, confirmed(Greet).after(1).silent("imaps")), false, false},
		{"an undo has failed", from(serving(), Woken{}, passed("b"), unconfirmed(Advance, false), unconfirmed(Undo, true)), false, true},
		{"it is confirmed", from(serving(), Woken{}, passed("b"), unconfirmed(Advance, false), unconfirmed(Undo, true), later(time.Second), confirmed(Mend)), true, true},
		{"a good one follows", from(serving(), Woken{}, refused("b"), Woken{}, passed("c"), confirmed(Advance)), true, false},
	} {
		if tt.state.Ready() != tt.ready || tt.state.Degraded() != tt.degraded {
			t.Errorf("%s: ready %t, degraded %t", tt.name, tt.state.Ready(), tt.state.Degraded())
		}
	}
}

// Going back means to drop the next generation: nothing of it stays.
func TestRollback(t *testing.T) {
	before := serving()
	for _, whole := range []bool{true, false} {
		after := from(before, Woken{}, passed("b"), unconfirmed(Advance, whole))
		if !whole {
			after = from(after, confirmed(Undo))
		}
		if !reflect.DeepEqual(after.Running, before.Running) || after.Next.Dir != "" {
			t.Errorf("whole %t: runs %+v\nwant %+v", whole, after.Running, before.Running)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{}
	var waits []time.Duration
	for range 8 {
		b = b.After(known("a"), at)
		waits = append(waits, b.Due.Sub(at))
	}
	want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v", waits)
	}
	if b = b.After(known("b"), at); b.Due != at.Add(time.Minute) {
		t.Errorf("another one waits %v", b.Due.Sub(at))
	}
}

// What DNS answered is told to the next judgement, also after one that came to no answer.
func TestBackends(t *testing.T) {
	answered := unchanged("a")
	answered.Backends = candidate.Answer{Name: "tasks.mail"}
	state := from(serving(), Woken{}, answered, Woken{}, undecided("b"))
	_, actions := state.On(at, Woken{})
	if got := actions[len(actions)-1].(Judge).Request.Live.Backends.Name; got != "tasks.mail" {
		t.Errorf("the next judgement is told of %q", got)
	}
}
