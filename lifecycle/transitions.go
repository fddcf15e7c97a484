package lifecycle

import (
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/candidate"
)

// maxOvertaken is how many verdicts in a row are dropped because the sources have changed;
// the next one counts, so that a file that changes all the time gets a verdict too.
const maxOvertaken = 4

// On returns the state after an event, and the actions that follow.
func (s State) On(now time.Time, event Event) (State, []Action) {
	if s.Phase == Stopping {
		return s, nil
	}
	t := transition{State: s, now: now}
	switch e := event.(type) {
	case ContainerReady:
		t.judge(Judge{Request: candidate.Request{Trust: s.Policy.Trust}})
	case Judged:
		t.judged(e)
	case DovecotReady:
		t.ready()
	case DovecotFailed:
		t.stop(e.ExitCode, e.Reasons...)
	case ChangeSuspected:
		t.RereadPending = true
		t.startNextJob()
	case ReloadRequested:
		t.RereadPending, t.ReloadPending = true, true
		t.startNextJob()
	case RetryDue:
		t.RereadPending = t.RereadPending || t.retries()
		t.startNextJob()
	case ServiceDied:
		t.died(e)
	case ReloadConfirmed:
		t.confirmed(e)
	case ReloadUnconfirmed:
		t.unconfirmed(e)
	case DovecotEnded:
		t.ended()
	case StopRequested:
		t.stop(0)
	}
	return t.State, t.actions
}

// transition collects the next state and the actions of one event.
type transition struct {
	State
	now     time.Time
	actions []Action
}

func (t *transition) do(a Action) { t.actions = append(t.actions, a) }

func (t *transition) say(level slog.Level, message string, facts ...any) {
	t.do(WriteLog{level, message, facts})
}

func (t *transition) discard(dir string) {
	if dir != "" {
		t.do(Discard{dir})
	}
}

// stop ends the container; reasons say why no configuration can be used.
func (t *transition) stop(code int, reasons ...string) {
	for _, reason := range reasons {
		t.say(slog.LevelError, "configuration cannot be used", "reason", reason)
	}
	t.Phase, t.ExitCode = Stopping, code
}

// judge asks for a judgement, and names the sources that need none.
func (t *transition) judge(j Judge) {
	j.Request.Live, j.Request.AlreadyJudged = t.Live(), t.known(t.now, j.ForceReload)
	if t.Running.Trusted && t.Running.WorkedBefore {
		j.Request.ProvenFingerprint = t.Running.Fingerprint
	}
	if t.retries() {
		t.Retry.Due = time.Time{}
	}
	t.do(j)
}

// retries reports whether a candidate is due to be tried again.
func (t *transition) retries() bool { return !t.Retry.Due.IsZero() && !t.now.Before(t.Retry.Due) }

func (t *transition) reload(why ReloadReason, g Generation) {
	t.Phase = Reloading
	t.do(Reload{why, g, t.Deaths})
}

// startNextJob starts the next job in phase Serving: to reach silent listeners if their retry is
// due, or to judge the sources if they may have changed.
func (t *transition) startNextJob() {
	if t.Phase != Serving {
		return
	}
	if len(t.Silent) > 0 && !t.now.Before(t.ProofRetry.Due) {
		t.repair()
		return
	}
	if !t.RereadPending {
		return
	}
	if t.ReloadPending {
		t.Retry = Backoff{}
	}
	t.judge(Judge{ForceReload: t.ReloadPending})
	t.Phase, t.RereadPending, t.ReloadPending = Judging, false, false
}

// repair reloads the running generation if that can help, or else asks for its greetings.
func (t *transition) repair() {
	why := GreetOnly
	if t.NeedsReload {
		why = LoadToRepair
	}
	t.reload(why, t.Running)
}

// died checks that listeners greet after the death of a process. Dovecot restarts every
// process, but anvil and log need a reload: a login process that has lost anvil takes no
// more clients, and lives on while it has some (2.3.19, 2.4.1: anvil_reconnect_callback),
// and a restarted log process writes nothing (seen on both).
func (t *transition) died(e ServiceDied) {
	t.Deaths++
	t.say(slog.LevelWarn, "a process of Dovecot's has ended", "service", e.Service)
	switch e.Service {
	case "anvil":
		t.NeedsReload, t.LastCut, t.AnvilDied = true, t.Deaths, t.now
	case "log":
		t.NeedsReload, t.LastCut = true, t.Deaths
	}
	t.addSilent(map[string]string{e.Service: "its process has ended"})
	t.ProofRetry = Backoff{}
	t.startNextJob()
}

// addSilent adds to State.Silent, whose map belongs to earlier states too.
func (t *transition) addSilent(more map[string]string) {
	all := maps.Clone(t.Silent)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	t.Silent = all
}

// noteGreetings updates State.Silent after greetings, unless a process has died since they began:
// then they are asked for again.
func (t *transition) noteGreetings(e ReloadConfirmed) {
	t.Running.Greeted = e.Greeted
	if e.Reason != GreetOnly && e.Deaths >= t.LastCut {
		t.NeedsReload = false
	}
	if e.Deaths != t.Deaths {
		t.ProofRetry = Backoff{}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(e.Silent)) {
		if t.Silent[name] == "" { // it is asked again and again
			t.say(slog.LevelWarn, "a listener does not greet", "error", e.Silent[name])
		}
	}
	if len(t.Silent) > 0 && len(e.Silent) == 0 {
		t.say(slog.LevelInfo, "all listeners greet again", "running", filepath.Base(t.Running.Dir))
	}
	if t.Silent = e.Silent; len(t.Silent) == 0 {
		t.ProofRetry = Backoff{}
		return
	}
	t.ProofRetry = t.ProofRetry.longer(t.now, time.Second, time.Minute)
}

// retryReload plans another reload, with growing waits, because each reload leaves the
// processes of live sessions behind.
func (t *transition) retryReload(reasons []string) {
	t.addSilent(map[string]string{"reload": strings.Join(reasons, "; ")})
	t.NeedsReload, t.ProofRetry = true, t.ProofRetry.longer(t.now, time.Second, time.Hour)
}

// settle goes back to Serving when a job is done.
func (t *transition) settle() {
	t.Phase, t.Next = Serving, Generation{}
	t.startNextJob()
}

func (t *transition) judged(e Judged) {
	if e.Backends.Name != "" {
		t.Backends = e.Backends
	}
	if e.SourcesMoved && t.Overtaken < maxOvertaken {
		t.Overtaken++
		t.discard(e.Dir)
		e.Judge.Request.Trust = false
		t.judge(Judge{Request: candidate.Request{LastGood: e.Judge.Request.LastGood}, ForceReload: e.ForceReload})
		return
	}
	t.Overtaken = 0
	switch {
	case t.Phase == Starting && (e.Outcome == candidate.Passed || e.Judge.Request.Regardless && e.Dir != ""):
		t.start(e)
	case t.Phase == Starting:
		t.notStarted(e)
	case e.Outcome == candidate.Unchanged:
		t.unchanged(e)
	case e.Outcome == candidate.Passed:
		t.passed(e)
	default:
		t.refused(e)
	}
}

// start starts Dovecot on the first generation. If that is not a candidate that passed, the
// log says why the candidate was refused.
func (t *transition) start(e Judged) {
	t.Running = Generation{Verdict: e.Verdict, Faulty: e.Judge.Request.Regardless}
	if e.Trusted {
		t.say(slog.LevelDebug, "started ahead of the judgement", "worked_before", e.WorkedBefore)
	}
	if e.Judge.Request.LastGood {
		t.logRefused()
		t.say(slog.LevelError, "starting with the last good configuration", "generation", filepath.Base(e.Dir))
	}
	if t.Running.Faulty {
		t.logRefused()
		t.say(slog.LevelError, "starting with the refused configuration, for Dovecot does, and there is no other", "generation", filepath.Base(e.Dir))
	}
	t.do(Start{t.Running})
}

// notStarted falls back on the last good generation, unless ON_INVALID=fail, and then on an
// operator's own configuration as it is, of which a part may work.
func (t *transition) notStarted(e Judged) {
	reasons := e.Findings.Faults().Sentences()
	switch tried := e.Judge.Request; {
	case t.Policy.LastGood && !tried.LastGood && !tried.Regardless:
		t.Refused, t.RefusedSources = reasons, e.SourcesID
		t.judge(Judge{Request: candidate.Request{LastGood: true}})
		return
	case t.Policy.Regardless && tried.LastGood:
		t.judge(Judge{Request: candidate.Request{Regardless: true}})
		return
	}
	t.stop(ExitConfig, slices.Compact(append(t.Refused, reasons...))...)
}

// ready judges a generation that was started on trust; any other has ended its start.
func (t *transition) ready() {
	if t.Running.Trusted {
		t.Phase = Judging
		t.judge(Judge{})
		return
	}
	t.serve()
}

// serve ends the start of a generation that was judged.
func (t *transition) serve() {
	t.started()
	if !t.Degraded() { // a degraded one is the last good one already, or faulty
		t.do(KeepLastGood{t.Running})
	}
	t.repair()
}

func (t *transition) started() {
	t.Running.Since, t.LastReload = t.now, t.now
	t.do(AnnounceStart{t.Running})
}

// unchanged clears a refusal if the sources are those of the running generation again, and
// reloads after SIGHUP.
func (t *transition) unchanged(e Judged) {
	if t.Degraded() && e.Fingerprint == t.Running.Fingerprint && t.Running.Outcome == candidate.Passed {
		t.Refused, t.RefusedSources = nil, candidate.SourcesID{}
		t.say(slog.LevelInfo, "taken back", "running", filepath.Base(t.Running.Dir))
	}
	t.repeatOrSettle(e.ForceReload)
}

func (t *transition) repeatOrSettle(forced bool) {
	if !forced {
		t.settle()
		return
	}
	t.reload(LoadAgain, t.Running)
}

func (t *transition) passed(e Judged) {
	switch {
	case t.Running.Trusted && e.Fingerprint == t.Running.Fingerprint:
		t.adopt(e.Verdict)
		t.serve()
	case e.Effect == t.Running.Effect && !t.Running.Trusted && !t.Running.Faulty && !e.ForceReload:
		t.adopt(e.Verdict)
		t.say(slog.LevelInfo, "changed without effect", "running", filepath.Base(t.Running.Dir), "overrides", e.Overrides)
		t.settle()
	default:
		t.say(slog.LevelInfo, "changed", "generation", filepath.Base(e.Dir), "overrides", e.Overrides)
		t.Next = Generation{Verdict: e.Verdict, Greeted: t.Running.Greeted}
		t.reload(LoadChange, t.Next)
	}
}

// adopt takes over the verdict on a candidate that equals the running generation, and
// removes the candidate's directory.
func (t *transition) adopt(v candidate.Verdict) {
	t.discard(v.Dir)
	v.Dir = t.Running.Dir
	t.Running.Verdict, t.Refused, t.RefusedSources = v, nil, candidate.SourcesID{}
}

func (t *transition) refused(e Judged) {
	trusted, same := t.Running.Trusted, e.Fingerprint == t.Running.Fingerprint
	if trusted && same && !t.Running.WorkedBefore {
		t.stop(ExitConfig, e.Findings.Faults().Sentences()...)
		return
	}
	if t.Running.Trusted = false; trusted && same {
		t.Running.Outcome = e.Outcome
		if len(e.Listeners) > 0 {
			t.Running.Listeners, t.Running.Ceilings, t.Running.Capacity = e.Listeners, e.Ceilings, e.Capacity
		}
	}
	t.refuse(e.Verdict)
	if trusted {
		t.serve()
		return
	}
	t.repeatOrSettle(e.ForceReload)
}

// refuse records why a change is not in force. An undecided judgement is repeated at each
// look, so its reasons are logged only when they change.
func (t *transition) refuse(v candidate.Verdict) {
	reasons := v.Findings.Faults().Sentences()
	told := v.Outcome == candidate.Undecided && slices.Equal(reasons, t.Refused)
	if v.Slow {
		t.Retry = t.Retry.After(v.SourcesID, t.now)
	}
	if v.Outcome == candidate.Refused {
		t.RefusedSources = v.SourcesID
	}
	if !told {
		t.reject(reasons)
	}
}

func (t *transition) reject(reasons []string) {
	t.Refused = reasons
	t.Counts.Refused++
	t.logRefused()
}

func (t *transition) logRefused() {
	for _, reason := range t.Refused {
		t.say(slog.LevelError, "refused", "reason", reason, "running", filepath.Base(t.Running.Dir))
	}
}

func (t *transition) confirmed(e ReloadConfirmed) {
	switch e.Reason {
	case LoadChange:
		t.Next.Since, t.Next.Trusted = t.now, t.Running.Trusted
		t.Running, t.Refused, t.RefusedSources = t.Next, nil, candidate.SourcesID{}
		t.reloaded(e.Reason)
		t.do(KeepLastGood{t.Running})
	case LoadAgain, LoadToRepair:
		t.reloaded(e.Reason)
	case LoadPrevious:
		t.reject(t.Refused)
		t.discard(t.Next.Dir)
	}
	t.noteGreetings(e)
	t.endTrust()
	t.settle()
}

func (t *transition) reloaded(reason ReloadReason) {
	t.LastReload = t.now
	t.Counts.Loaded++
	if running := filepath.Base(t.Running.Dir); t.Degraded() && reason == LoadAgain { // who sent HUP would take it for the change
		t.say(slog.LevelWarn, "reloaded without the change", "generation", running, "refused", strings.Join(t.Refused, "; "))
	} else {
		t.say(slog.LevelInfo, "reloaded", "generation", running)
	}
}

// unconfirmed goes back to the generation before, whose directory still exists. A change
// that Dovecot refused as a whole may be right, because the master refuses every reload for
// 2 s after a refusal; the next poll tries it again.
func (t *transition) unconfirmed(e ReloadUnconfirmed) {
	switch e.Reason {
	case LoadChange:
		t.Refused = e.Reasons
		if e.KeptPrevious {
			t.RefusedSources = candidate.SourcesID{}
			t.do(Publish{t.Running.Dir})
			t.reject(e.Reasons)
			t.discard(t.Next.Dir)
			break
		}
		if t.RefusedSources = t.Next.SourcesID; !e.SilencedListener {
			t.RefusedSources, t.Retry = candidate.SourcesID{}, t.Retry.After(t.Next.SourcesID, t.now)
		}
		t.reload(LoadPrevious, t.Running)
		return
	case LoadPrevious: // Dovecot may still run Next, so its directory stays
		t.say(slog.LevelError, "previous generation not reloaded", "error", strings.Join(e.Reasons, "; "))
		t.reject(t.Refused)
		t.retryReload(e.Reasons)
	case LoadAgain, LoadToRepair:
		t.say(slog.LevelError, "reload not carried out", "error", strings.Join(e.Reasons, "; "))
		t.Counts.Refused++
		if !e.KeptPrevious || e.Reason == LoadToRepair {
			t.retryReload(e.Reasons)
		}
	}
	t.endTrust()
	t.settle()
}

// endTrust ends a start on trust, whose verdict is known now.
func (t *transition) endTrust() {
	if t.Running.Trusted {
		t.Running.Trusted = false
		t.started()
	}
}

// ended stops the container, unless Dovecot ended during a start on trust: then the sources
// are judged, once.
func (t *transition) ended() {
	switch {
	case t.Phase == Starting && t.Running.Faulty:
		t.stop(ExitConfig, t.Refused...)
		return
	case t.Phase != Starting || !t.Running.Trusted:
		t.stop(0)
		return
	}
	t.say(slog.LevelWarn, "Dovecot does not start with what was not judged yet: judging it")
	t.Running, t.Policy.Trust = Generation{}, false
	t.judge(Judge{EndOrphans: true})
}
