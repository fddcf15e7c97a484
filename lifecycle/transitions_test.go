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

func known(letter string) candidate.SourcesID {
	return candidate.SourcesID{Fingerprint: sum(letter), References: []string{"/" + letter}}
}

// verdict is on a candidate that is called a letter, and lies in gen-LETTER.
func verdict(outcome candidate.Outcome, letter string) candidate.Verdict {
	v := candidate.Verdict{Outcome: outcome, SourcesID: known(letter), Effect: sum(letter)}
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
	j.Trusted, j.WorkedBefore = true, worked
	return j
}

func (e Judged) forced() Judged { e.ForceReload = true; return e }
func (e Judged) moved() Judged  { e.SourcesMoved = true; return e }
func (e Judged) slow() Judged   { e.Slow = true; return e }
func (e Judged) ofGood() Judged { e.Request.LastGood = true; return e }

// asRefused is a refused candidate that was staged all the same.
func (e Judged) asRefused() Judged {
	e.Outcome, e.Request.Regardless = candidate.Refused, true
	return e
}

func (e Judged) effect(letter string) Judged {
	e.Effect = sum(letter)
	return e
}

func confirmed(why ReloadReason) ReloadConfirmed {
	return ReloadConfirmed{Reload: Reload{Reason: why}, Greeted: []string{"imaps"}}
}

func (e ReloadConfirmed) after(deaths int) ReloadConfirmed { e.Deaths = deaths; return e }
func (e ReloadConfirmed) silent(name string) ReloadConfirmed {
	e.Silent = map[string]string{name: "EOF"}
	return e
}

func unconfirmed(why ReloadReason, whole bool) ReloadUnconfirmed {
	return ReloadUnconfirmed{Reload: Reload{Reason: why}, Reasons: []string{"Dovecot refused"}, KeptPrevious: whole}
}

func (e ReloadUnconfirmed) mute() ReloadUnconfirmed { e.SilencedListener = true; return e }

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
				{a.Request.Regardless, "regardless"},
				{a.Request.Trust, "trust"},
				{a.ForceReload, "forced"},
				{a.EndOrphans, "sweep"},
				{a.Request.ProvenFingerprint != "", "proven"},
			} {
				if flag.is {
					word += " " + flag.name
				}
			}
		case Start:
			word = "start " + a.Generation.Dir
		case Reload:
			word = [...]string{"greet", "advance", "repeat", "undo", "mend"}[a.Reason] + " " + a.Generation.Dir
		case KeepLastGood:
			word = "keep " + a.Generation.Dir
		case Publish:
			word = "publish " + a.Dir
		case Discard:
			word = "discard " + a.Dir
		case AnnounceStart:
			word = "started " + a.Generation.Dir
		case WriteLog:
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
			now, e = now.Add(time.Duration(passed)), RetryDue{}
		}
		s, _ = s.On(now, e)
	}
	return s
}

// serving serves a.
func serving() State {
	return story(ContainerReady{}, passed("a"), DovecotReady{}, confirmed(GreetOnly))
}

func TestOn(t *testing.T) {
	judging := from(serving(), ChangeSuspected{})
	degraded := from(judging, refused("b"))
	reloading := from(judging, passed("b"))
	unjudged := story(ContainerReady{}, trusted("a", false), DovecotReady{})
	worked := story(ContainerReady{}, trusted("a", true), DovecotReady{})
	strict := State{}
	own := State{Policy: Policy{LastGood: true, Regardless: true}}
	faulty := from(own, ContainerReady{}, refused("a"), refused("a").ofGood(), passed("a").asRefused())
	faultyServes := from(faulty, DovecotReady{}, confirmed(GreetOnly))
	died := from(serving(), ServiceDied{"anvil"})
	silent := confirmed(GreetOnly).silent("imaps")
	undoing := from(reloading, unconfirmed(LoadChange, false), unconfirmed(LoadPrevious, false))
	tests := []struct {
		name  string
		state State
		event Event
		phase Phase
		does  string // actions, joined by "; "
	}{
		{"it begins", story(), ContainerReady{}, Starting, "judge trust"},
		{"nothing is trusted with ON_INVALID=fail", strict, ContainerReady{}, Starting, "judge"},
		{"what passes is started", story(ContainerReady{}), passed("a"), Starting, "start a"},
		{"what is trusted too", story(ContainerReady{}), trusted("a", false), Starting, "started ahead of the judgement; start a"},
		{"what moves meanwhile is judged again", story(ContainerReady{}), passed("a").moved(), Starting, "discard a; judge"},
		{"what is refused gives way to what worked", story(ContainerReady{}), refused("a"), Starting, "judge good"},
		{"so does what cannot be judged", story(ContainerReady{}), undecided("a"), Starting, "judge good"},
		{"not with ON_INVALID=fail", from(strict, ContainerReady{}), refused("a"), Stopping, "configuration cannot be used: a is wrong"},
		{"what worked is started, and told", story(ContainerReady{}, refused("a")), passed("g").ofGood(), Starting, "refused: a is wrong; starting with the last good configuration; start g"},
		{"nothing is left if that is refused too", story(ContainerReady{}, refused("a")), refused("g").ofGood(), Stopping, "configuration cannot be used: a is wrong; configuration cannot be used: g is wrong"},
		{"the same reason is told once", story(ContainerReady{}, refused("a")), refused("a").ofGood(), Stopping, "configuration cannot be used: a is wrong"},
		{"an own one gives way to what worked too", from(own, ContainerReady{}), refused("a"), Starting, "judge good"},
		{"and is tried as it is without that", from(own, ContainerReady{}, refused("a")), refused("g").ofGood(), Starting, "judge regardless"},
		{"and started, and told", from(own, ContainerReady{}, refused("a"), refused("g").ofGood()), passed("a").asRefused(), Starting, "refused: a is wrong; starting with the refused configuration, for Dovecot does, and there is no other; start a"},
		{"or not, if Dovecot cannot", from(own, ContainerReady{}, refused("a"), refused("g").ofGood()), Judged{Verdict: candidate.Verdict{Outcome: candidate.Refused}, Judge: Judge{Request: candidate.Request{Regardless: true}}}, Stopping, "configuration cannot be used: a is wrong"},
		{"what was refused is not kept", faulty, DovecotReady{}, Reloading, "started a; greet a"},
		{"what was refused and does not start ends it", faulty, DovecotEnded{}, Stopping, "configuration cannot be used: a is wrong"},
		{"what follows it is loaded, whatever its effect", from(faultyServes, ChangeSuspected{}), passed("b").effect("a"), Reloading, "changed; advance b"},
		{"what is refused after it is told", from(faultyServes, ChangeSuspected{}), refused("b"), Serving, "refused: b is wrong"},
		{"HUP has it judged", faultyServes, ReloadRequested{}, Judging, "judge forced"},
		{"it does not end its refusal", from(faultyServes, ChangeSuspected{}), unchanged("a"), Serving, ""},

		{"what does not come to serve ends it", story(ContainerReady{}, passed("a")), DovecotFailed{ExitCode: 1}, Stopping, ""},
		{"so does what cannot be started", story(ContainerReady{}, passed("a")), DovecotFailed{Reasons: []string{"no such file"}, ExitCode: 78}, Stopping, "configuration cannot be used: no such file"},
		{"it serves", story(ContainerReady{}, passed("a")), DovecotReady{}, Reloading, "started a; keep a; greet a"},
		{"what worked is not kept again", story(ContainerReady{}, refused("a"), passed("g").ofGood()), DovecotReady{}, Reloading, "started g; greet g"},
		{"what is trusted is judged when it serves", story(ContainerReady{}, trusted("a", false)), DovecotReady{}, Judging, "judge"},
		{"and not rehearsed if it worked", story(ContainerReady{}, trusted("a", true)), DovecotReady{}, Judging, "judge proven"},
		{"it settles", story(ContainerReady{}, passed("a"), DovecotReady{}), confirmed(GreetOnly), Serving, ""},
		{"what came meanwhile is looked at then", story(ContainerReady{}, ChangeSuspected{}, passed("a"), DovecotReady{}), confirmed(GreetOnly), Judging, "judge"},
		{"an end while it starts is the end", story(ContainerReady{}, passed("a")), DovecotEnded{}, Stopping, ""},
		{"what was trusted and does not start is judged", story(ContainerReady{}, trusted("a", true)), DovecotEnded{}, Starting, "Dovecot does not start with what was not judged yet: judging it; judge sweep"},
		{"once", story(ContainerReady{}, trusted("a", true), DovecotEnded{}, passed("a")), DovecotEnded{}, Stopping, ""},

		{"what was trusted passes", unjudged, passed("a"), Reloading, "discard a; started a; keep a; greet a"},
		{"what was trusted is refused and never worked", unjudged, refused("a"), Stopping, "configuration cannot be used: a is wrong"},
		{"what was trusted is refused and has worked", worked, refused("a"), Reloading, "refused: a is wrong; started a; greet a"},
		{"another is refused after a start on trust", unjudged, refused("b"), Reloading, "refused: b is wrong; started a; greet a"},
		{"another passes after a start on trust", unjudged, passed("b"), Reloading, "changed; advance b"},
		{"and is confirmed", from(unjudged, passed("b")), confirmed(LoadChange), Serving, "reloaded; keep b; started b"},
		{"or is not", from(unjudged, passed("b")), unconfirmed(LoadChange, true), Serving, "publish a; refused: Dovecot refused; discard b; started a"},
		{"or in part", from(unjudged, passed("b"), unconfirmed(LoadChange, false)), confirmed(LoadPrevious), Serving, "refused: Dovecot refused; discard b; started a"},
		{"its end while it is judged is the end", unjudged, DovecotEnded{}, Stopping, ""},

		{"a change is judged", serving(), ChangeSuspected{}, Judging, "judge"},
		{"HUP is", serving(), ReloadRequested{}, Judging, "judge forced"},
		{"a change waits while one is judged", judging, ChangeSuspected{}, Judging, ""},
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
		{"once", from(judging, undecided("b"), ChangeSuspected{}), undecided("b"), Serving, ""},
		{"what was refused is taken back", from(degraded, ChangeSuspected{}), unchanged("a"), Serving, "taken back"},
		{"what worked and was refused is not", from(worked, refused("a"), confirmed(GreetOnly), ChangeSuspected{}), unchanged("a"), Serving, ""},
		{"it is not while it is there", from(degraded, ChangeSuspected{}), unchanged("b"), Serving, ""},
		{"what came meanwhile is judged then", from(judging, ChangeSuspected{}), refused("b"), Judging, "refused: b is wrong; judge"},
		{"HUP that came meanwhile too", from(judging, ReloadRequested{}), refused("b"), Judging, "refused: b is wrong; judge forced"},

		{"it is in force", reloading, confirmed(LoadChange), Serving, "reloaded; keep b"},
		{"Dovecot refuses it", reloading, unconfirmed(LoadChange, true), Serving, "publish a; refused: Dovecot refused; discard b"},
		{"Dovecot carries it out in part", reloading, unconfirmed(LoadChange, false), Reloading, "undo a"},
		{"that is undone", from(reloading, unconfirmed(LoadChange, false)), confirmed(LoadPrevious), Serving, "refused: Dovecot refused; discard b"},
		{"or cannot be", from(reloading, unconfirmed(LoadChange, false)), unconfirmed(LoadPrevious, false), Serving, "previous generation not reloaded; refused: Dovecot refused"},
		{"a repeated one is confirmed", from(judging, unchanged("a").forced()), confirmed(LoadAgain), Serving, "reloaded"},
		{"or is not", from(judging, unchanged("a").forced()), unconfirmed(LoadAgain, true), Serving, "reload not carried out"},

		{"what dies is proven back", serving(), ServiceDied{"auth"}, Reloading, "a process of Dovecot's has ended; greet a"},
		{"anvil takes a reload", serving(), ServiceDied{"anvil"}, Reloading, "a process of Dovecot's has ended; mend a"},
		{"the log takes a reload", serving(), ServiceDied{"log"}, Reloading, "a process of Dovecot's has ended; mend a"},
		{"that is the end of it", died, confirmed(LoadToRepair).after(1), Serving, "reloaded; all listeners greet again"},
		{"what has died meanwhile is proven, without another reload", from(died, ServiceDied{"auth"}), confirmed(LoadToRepair).after(1), Reloading, "reloaded; greet a"},
		{"unless it takes one too", from(died, ServiceDied{"anvil"}), confirmed(LoadToRepair).after(1), Reloading, "reloaded; mend a"},
		{"or had no reload yet", from(serving(), ServiceDied{"auth"}, ServiceDied{"anvil"}), confirmed(GreetOnly).after(1), Reloading, "mend a"},
		{"anvil takes one after a start too", from(unjudged, ServiceDied{"anvil"}), passed("a"), Reloading, "discard a; started a; keep a; mend a"},
		{"what dies while it judges is proven then", from(judging, ServiceDied{"anvil"}), refused("b"), Reloading, "refused: b is wrong; mend a"},
		{"and what came meanwhile is judged after that", from(judging, ServiceDied{"anvil"}, ChangeSuspected{}, refused("b")), confirmed(LoadToRepair).after(1), Judging, "reloaded; all listeners greet again; judge"},
		{"silence is told, and not mended at once", serving(), silent, Serving, "a listener does not greet"},
		{"it is told once", from(serving(), silent, later(time.Second)), silent, Serving, ""},
		{"but asked again", from(serving(), silent), later(time.Second), Reloading, "greet a"},
		{"until it ends", from(serving(), silent, later(time.Second)), confirmed(GreetOnly), Serving, "all listeners greet again"},
		{"an undo that failed is tried again", undoing, later(time.Second), Reloading, "mend a"},
		{"not at once", undoing, ChangeSuspected{}, Judging, "judge"},
		{"until it is confirmed", from(undoing, later(time.Second)), confirmed(LoadToRepair), Serving, "reloaded; all listeners greet again"},
		{"after a longer time", from(undoing, later(time.Second), unconfirmed(LoadToRepair, true)), later(time.Second), Serving, ""},
		{"and a longer one", from(undoing, later(time.Second), unconfirmed(LoadToRepair, true)), later(3 * time.Second), Reloading, "mend a"},
		{"what is refused is not said to be loaded", from(judging, refused("b").forced()), confirmed(LoadAgain), Serving, "reloaded without the change"},
		{"a repeated one that failed in part too", from(judging, unchanged("a").forced(), unconfirmed(LoadAgain, false)), later(time.Second), Reloading, "mend a"},
		{"a change in part is tried again when its time has come", from(reloading, unconfirmed(LoadChange, false), confirmed(LoadPrevious)), later(time.Minute), Judging, "judge"},

		{"a stop while it starts", story(ContainerReady{}), StopRequested{}, Stopping, ""},
		{"a stop while it serves", serving(), StopRequested{}, Stopping, ""},
		{"a stop while it judges", judging, StopRequested{}, Stopping, ""},
		{"a stop while it reloads", reloading, StopRequested{}, Stopping, ""},
		{"the end of Dovecot", serving(), DovecotEnded{}, Stopping, ""},
		{"nothing follows a stop", from(serving(), StopRequested{}), ChangeSuspected{}, Stopping, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := fmt.Sprintf("%+v", tt.state)
			now, event := at, tt.event
			if passed, ok := event.(later); ok {
				now, event = now.Add(time.Duration(passed)), RetryDue{}
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
	judging := from(serving(), ChangeSuspected{})
	slow := from(judging, undecided("b").slow())
	inPart := from(judging, passed("b"), unconfirmed(LoadChange, false), confirmed(LoadPrevious))
	for _, tt := range []struct {
		name  string
		state State
		event Event
		at    time.Time
		known string
		live  bool
	}{
		{"at the start nothing is known", story(), ContainerReady{}, at, "", false},
		{"what was trusted has to be judged", story(ContainerReady{}, trusted("a", false)), DovecotReady{}, at, "", true},
		{"what runs is known", serving(), ChangeSuspected{}, at, "a", true},
		{"unless it was refused since", from(story(ContainerReady{}, trusted("a", true), DovecotReady{}), refused("a"), confirmed(GreetOnly)), ReloadRequested{}, at, "", true},
		{"or could not be judged", from(story(ContainerReady{}, trusted("a", true), DovecotReady{}), undecided("a"), confirmed(GreetOnly)), ChangeSuspected{}, at, "", true},
		{"so is what was refused", from(judging, refused("b")), ChangeSuspected{}, at, "ab", true},
		{"not for who asks", from(judging, refused("b")), ReloadRequested{}, at, "a", true},
		{"what could not be judged is judged again", from(judging, undecided("b")), ChangeSuspected{}, at, "a", true},
		{"but later if it took long", slow, ChangeSuspected{}, at.Add(59 * time.Second), "ab", true},
		{"when its time has come", slow, RetryDue{}, at.Add(time.Minute), "a", true},
		{"or who asks", slow, ReloadRequested{}, at, "a", true},
		{"what Dovecot refused as a whole is tried again", from(judging, passed("b"), unconfirmed(LoadChange, true)), ChangeSuspected{}, at, "a", true},
		{"what it did in part is, but later", inPart, ChangeSuspected{}, at.Add(59 * time.Second), "ab", true},
		{"when its time has come", inPart, RetryDue{}, at.Add(time.Minute), "a", true},
		{"and later still", from(inPart, later(time.Minute), passed("b"), unconfirmed(LoadChange, false), confirmed(LoadPrevious)), ChangeSuspected{}, at.Add(2 * time.Minute), "ab", true},
		{"what takes a listener away is not", from(judging, passed("b"), unconfirmed(LoadChange, false).mute(), confirmed(LoadPrevious)), ChangeSuspected{}, at.Add(time.Hour), "ab", true},
		{"after a start with what worked the refused one is known", story(ContainerReady{}, refused("b"), passed("g").ofGood(), DovecotReady{}, confirmed(GreetOnly)), ChangeSuspected{}, at, "gb", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, actions := tt.state.On(tt.at, tt.event)
			request := actions[len(actions)-1].(Judge).Request
			got := ""
			for _, k := range request.AlreadyJudged {
				got += string(k.Fingerprint)
			}
			if got != tt.known || request.Live.Running != tt.live {
				t.Errorf("known %q, running %t", got, request.Live.Running)
			}
		})
	}
}

func TestReady(t *testing.T) {
	faultyServes := from(State{Policy: Policy{LastGood: true, Regardless: true}}, ContainerReady{}, refused("a"), refused("a").ofGood(), passed("a").asRefused(), DovecotReady{}, confirmed(GreetOnly))
	for _, tt := range []struct {
		name            string
		state           State
		ready, degraded bool
	}{
		{"nothing runs", story(ContainerReady{}), false, false},
		{"it is starting", story(ContainerReady{}, passed("a")), false, false},
		{"it serves", serving(), true, false},
		{"it serves and was not judged", story(ContainerReady{}, trusted("a", true), DovecotReady{}), false, false},
		{"it was judged", story(ContainerReady{}, trusted("a", true), DovecotReady{}, passed("a")), true, false},
		{"it was refused, and there was no other", faultyServes, false, true},
		{"one that passes follows", from(faultyServes, ChangeSuspected{}, passed("b"), confirmed(LoadChange)), true, false},
		{"another was refused", from(serving(), ChangeSuspected{}, refused("b")), true, true},
		{"the refused one is judged again", from(serving(), ChangeSuspected{}, refused("b"), ChangeSuspected{}), true, true},
		{"a process has died", from(serving(), ServiceDied{"auth"}), false, false},
		{"clients get in all the same", from(serving(), ServiceDied{"auth"}, confirmed(GreetOnly).after(1)), true, false},
		{"they do not", from(serving(), ServiceDied{"auth"}, confirmed(GreetOnly).after(1).silent("imaps")), false, false},
		{"an undo has failed", from(serving(), ChangeSuspected{}, passed("b"), unconfirmed(LoadChange, false), unconfirmed(LoadPrevious, true)), false, true},
		{"it is confirmed", from(serving(), ChangeSuspected{}, passed("b"), unconfirmed(LoadChange, false), unconfirmed(LoadPrevious, true), later(time.Second), confirmed(LoadToRepair)), true, true},
		{"a good one follows", from(serving(), ChangeSuspected{}, refused("b"), ChangeSuspected{}, passed("c"), confirmed(LoadChange)), true, false},
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
		after := from(before, ChangeSuspected{}, passed("b"), unconfirmed(LoadChange, whole))
		if !whole {
			after = from(after, confirmed(LoadPrevious))
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
	answered.Backends = candidate.BackendLookup{Name: "tasks.mail"}
	state := from(serving(), ChangeSuspected{}, answered, ChangeSuspected{}, undecided("b"))
	_, actions := state.On(at, ChangeSuspected{})
	if got := actions[len(actions)-1].(Judge).Request.Live.Backends.Name; got != "tasks.mail" {
		t.Errorf("the next judgement is told of %q", got)
	}
}
