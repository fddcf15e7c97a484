package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"pidgeon/candidate"
	"pidgeon/command"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/dovecot/lookup"
	"pidgeon/exporter"
	"pidgeon/lifecycle"
	"pidgeon/mount"
	"pidgeon/publish"
	"pidgeon/server"
	"pidgeon/settings"
	"pidgeon/status"
	"pidgeon/supervise"
	"pidgeon/userdb"
	"pidgeon/watch"
)

// entrypoint carries out what package lifecycle decides. The goroutine of live owns it; a
// job in the background gets values and returns one event.
type entrypoint struct {
	version  string
	started  time.Time
	environ  []string
	settings settings.Settings
	facts    container.Facts
	log      *slog.Logger
	signals  <-chan os.Signal
	children *supervise.Supervisor
	server   *server.Server
	watcher  *watch.Watcher

	state    lifecycle.State
	logged   map[string]bool // warnings since the last verdict that passed, its own included
	snapshot atomic.Pointer[status.Snapshot]
	jobs     background // the last one begun, which waits for those before it
	exporter background
	lookups  background
	events   chan lifecycle.Event // of jobs
	closing  closers
}

// gcPercent is GOGC once Dovecot serves; set before the start, it would cost time there. A
// memory limit that the runtime cannot reach would have it collect at nearly every allocation:
// 0.4 ms of processor time at each login.
const gcPercent = 20

// runEntrypoint runs Dovecot until it ends or a signal stops it, and returns the exit code.
func runEntrypoint(c command.Call) int {
	if len(c.Args) > 0 {
		return c.Usage("run takes no arguments")
	}
	signals := make(chan os.Signal, 16)
	supervise.Notify(signals) // never undone, because a signal without a handler would end PID 1 with code 2
	s, err := settings.Load(c.Environ)
	stderr := &supervise.Stderr{}
	log := command.NewLogger(s, stderr)
	if err != nil {
		return command.LogUnusable(log, err)
	}
	children, err := supervise.New(log)
	if err != nil {
		return command.LogUnusable(log, err)
	}
	defer children.Close()
	e := &entrypoint{version: c.Version, started: time.Now(), environ: c.Environ, settings: s, log: log, signals: signals, children: children, logged: map[string]bool{}, events: make(chan lifecycle.Event, 1), jobs: inBackground(func(context.Context) {}), server: &server.Server{Log: log, Settings: s, Children: children, Stderr: stderr}}
	e.state.Policy = lifecycle.Policy{LastGood: s.OnInvalid != "fail", Regardless: s.OnInvalid != "fail" && s.HasOperatorConfig(), Trust: s.OnInvalid != "fail"}
	defer e.closing.close()
	if err := e.open(); err != nil {
		return command.LogUnusable(log, err)
	}
	return e.live()
}

// open acquires locks, sockets and the watcher; e.closing releases them.
func (e *entrypoint) open() (err error) {
	s := e.settings
	runDir := string(s.RunDir)
	if e.server.Dovecot, err = dovecot.Find(context.Background(), e.children.Run); err != nil {
		return err
	}
	if err = container.MakeDirectories(s); err != nil {
		return err
	}
	if e.facts.Identity, err = container.Identify(runDir); err != nil {
		return err
	}
	unlock, err := container.PrepareDirectories(s, e.facts.Identity)
	if err != nil {
		return err
	}
	e.closing.add(unlock)
	if e.facts.Machine, e.facts.Allowed, err = container.Measure(s.Demand()); err != nil {
		return err
	}
	// One processor is enough, because other processes do most of the work; each further
	// one costs memory.
	runtime.GOMAXPROCS(1)
	uid, gid := e.facts.Identity.DovecotUser()
	if e.server.Store, err = publish.Open(runDir, uid, gid); err != nil {
		return err
	}
	e.publishState()
	stop, err := status.Listen(runDir, e.now)
	if err != nil {
		return err
	}
	e.closing.add(stop)
	lookups, err := container.ListenPrivately(filepath.Join(runDir, lookup.SocketName))
	if err != nil {
		return err
	}
	e.lookups = inBackground(func(ctx context.Context) { lookup.Serve(ctx, lookups, filepath.Join(s.BaseDir(), "auth-userdb")) })
	sockets := exporter.Listen(e.log, s)
	e.exporter = inBackground(func(ctx context.Context) { exporter.KeepServing(ctx, e.log, e.children.Run, runDir, sockets) })
	var often watch.Options
	if s.BackendsName != "" {
		often.Slow = candidate.BackendsMaxAge
	}
	e.watcher = watch.New(e.log, often)
	e.watcher.Watch(mount.Dirs(string(s.OverridesDir)), append(s.Files, string(s.TLSCertPath), string(s.TLSKeyPath)))
	e.closing.add(inBackground(e.watcher.Run).cancel) // not awaited, because a file system may not answer
	return nil
}

// live hands signals, changes, the events of jobs and Dovecot's end to the state machine,
// and carries out the actions that it returns.
func (e *entrypoint) live() int {
	e.handle(lifecycle.ContainerReady{})
	for e.state.Phase != lifecycle.Stopping {
		select {
		case sig := <-e.signals:
			e.handleSignal(sig)
		case <-e.watcher.Changed():
			e.handle(lifecycle.ChangeSuspected{})
		case event := <-e.events:
			e.handle(event)
		case service := <-e.server.ServiceDied():
			e.handle(lifecycle.ServiceDied{Service: service})
		case <-e.retryTimer():
			e.handle(lifecycle.RetryDue{})
		case <-e.server.Ended():
			e.endJob()
			e.handle(lifecycle.DovecotEnded{})
		}
	}
	return e.finish()
}

// retryTimer receives at the next retry; it is nil if none is planned.
func (e *entrypoint) retryTimer() <-chan time.Time {
	if at := e.state.NextRetry(); !at.IsZero() {
		return time.After(time.Until(at))
	}
	return nil
}

func (e *entrypoint) handleSignal(sig os.Signal) {
	switch {
	case supervise.IsStop(sig):
		e.log.Info("stopping", "signal", sig.String(), "grace", time.Duration(e.settings.StopGrace).String())
		e.handle(lifecycle.StopRequested{})
	case sig == syscall.SIGHUP:
		e.handle(lifecycle.ReloadRequested{})
	case sig == syscall.SIGUSR1: // Dovecot reopens its logs; most other signals would end it
		e.server.Signal(sig)
	}
}

// handle passes an event to the state machine and carries out the actions that follow.
func (e *entrypoint) handle(event lifecycle.Event) {
	var actions []lifecycle.Action
	e.state, actions = e.state.On(time.Now(), event)
	if judged, ok := event.(lifecycle.Judged); ok {
		e.noteVerdict(judged.Verdict)
	}
	e.publishState()
	for _, action := range actions {
		e.execute(action)
	}
}

func (e *entrypoint) execute(action lifecycle.Action) {
	var err error
	switch a := action.(type) {
	case lifecycle.WriteLog:
		e.log.Log(context.Background(), a.Level, a.Message, a.Facts...)
	case lifecycle.AnnounceStart:
		debug.SetGCPercent(gcPercent)
		e.log.Info("started", "dovecot", e.server.Dovecot.Version, "generation", filepath.Base(a.Generation.Dir), "pid", e.server.PID(), "listeners", a.Generation.Ports())
		e.closing.add(inBackground(func(ctx context.Context) { status.WatchCapacity(ctx, e.log, e.server.Master(), e.now) }).end)
	case lifecycle.Discard:
		err = e.server.Store.Discard(a.Dir)
	case lifecycle.Publish:
		err = e.server.Store.Publish(a.Dir)
	case lifecycle.Judge:
		e.judge(a)
	case lifecycle.Start:
		e.facts.Announce(e.log, a.Generation.Demand, e.server.Dovecot.Dialect)
		e.start(a.Generation)
	case lifecycle.KeepLastGood:
		e.run(func(context.Context) lifecycle.Event { e.server.KeepLastGood(a.Generation); return nil })
	case lifecycle.Reload:
		e.run(func(ctx context.Context) lifecycle.Event { return e.server.Reload(ctx, a) })
	}
	if err != nil {
		e.log.Error("change not carried out", "error", err)
	}
}

// noteVerdict logs the warnings of a verdict that are new, and watches the files it depends on.
func (e *entrypoint) noteVerdict(v candidate.Verdict) {
	if len(v.WatchDirs) > 0 {
		e.watcher.Watch(v.WatchDirs, v.WatchFiles)
	}
	said := map[string]bool{}
	for _, f := range v.Findings.Warnings() {
		if said[f.Error()] = true; !e.logged[f.Error()] {
			e.log.Warn("noticed", "what", f)
		}
		e.logged[f.Error()] = true
	}
	if v.Outcome == candidate.Passed && !v.Trusted { // other verdicts have only a part of the warnings
		e.logged = said
	}
}

// run starts a job that waits for the one before; live receives its event.
func (e *entrypoint) run(work func(context.Context) lifecycle.Event) {
	before := e.jobs
	e.jobs = inBackground(func(ctx context.Context) {
		<-before.done
		if event := work(ctx); event != nil {
			e.events <- event
		}
	})
}

// endJob cancels the running job and drops its event.
func (e *entrypoint) endJob() {
	e.jobs.end()
	select {
	case <-e.events:
	default:
	}
}

func (e *entrypoint) judge(j lifecycle.Judge) {
	if j.EndOrphans {
		e.server.Forget()
	}
	r := j.Request
	r.Facts, r.Fixed, r.AwaitStable = e.facts, e.settings.FixedValues(), true
	r.Store, r.StateDir, r.SelfSigned = e.server.Store.Dir, string(e.settings.StateDir), e.settings.SelfSigned()
	e.run(func(ctx context.Context) lifecycle.Event {
		if j.EndOrphans {
			e.server.EndOrphans(ctx)
		}
		v := candidate.RunJudge(ctx, e.children.Run, e.environ, r)
		if ctx.Err() != nil {
			return nil
		}
		return lifecycle.Judged{Verdict: v, Judge: j}
	})
}

// start starts Dovecot, and a job that waits until it serves.
func (e *entrypoint) start(g lifecycle.Generation) {
	err := e.server.Start(g)
	e.run(func(ctx context.Context) lifecycle.Event {
		if err != nil {
			return lifecycle.DovecotFailed{Reasons: []string{err.Error()}, ExitCode: lifecycle.ExitConfig}
		}
		return e.server.AwaitReady(ctx, g.Trusted)
	})
}

// finish stops Dovecot and returns its exit code, or that of the state machine.
func (e *entrypoint) finish() int {
	e.exporter.cancel()
	e.lookups.cancel()
	e.endJob()
	code := 0
	if e.server.Ended() != nil {
		code = e.server.Stop(e.signals)
	}
	e.jobs.end() // what has worked may be written to a slow disk
	e.exporter.end()
	return cmp.Or(e.state.ExitCode, code)
}

func (e *entrypoint) now() status.Snapshot { return *e.snapshot.Load() }

// publishState stores a copy of the state for the goroutines that answer status requests.
func (e *entrypoint) publishState() {
	s, g := e.state, e.state.Running
	serving := s.Live()
	serving.Conf = string(e.settings.DovecotConf)
	live, _ := json.Marshal(serving)
	snapshot := status.Snapshot{
		Document: status.Document{
			Version: e.version, Dovecot: e.server.Dovecot.Version, Ready: s.Ready(), Degraded: s.Degraded(),
			Overrides: g.Overrides, Carried: g.CarriedOver, Refused: s.Refused, Listeners: g.Ports(), Silent: s.Silent, Since: g.Since,
			CertificateExpires: g.CertificateExpires, SNIExpires: g.SNIExpires, Started: e.started, LastReload: s.LastReload,
			Reloads: status.Reloads{Loaded: s.Counts.Loaded, Refused: s.Counts.Refused}, Settings: e.settings.NonDefault(),
		},
		Ceilings: g.Capacity.Bound(g.Ceilings), Capacity: g.Capacity, BaseDir: g.BaseDir, Live: live, AnvilDied: s.AnvilDied,
	}
	if !e.settings.HasOperatorConfig() { // which may keep mail elsewhere
		snapshot.Mail.Dir = string(e.settings.MailDir)
		snapshot.Databases, snapshot.OwnUsers = userdb.Databases(e.settings, filepath.Join(string(e.settings.RunDir), "current")), e.settings.Auth.Has("users") && len(e.settings.Users) > 0
	}
	if g.Dir != "" {
		snapshot.Generation = filepath.Base(g.Dir)
	}
	if s.Serves() {
		snapshot.Master = e.server.Master()
	}
	e.snapshot.Store(&snapshot)
}

// closers release what was acquired, in reverse order.
type closers []func()

func (c *closers) add(f func()) { *c = append(*c, f) }

func (c *closers) close() {
	for _, f := range slices.Backward(*c) {
		f()
	}
}

// background is a function that runs in its own goroutine.
type background struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func inBackground(work func(context.Context)) background {
	ctx, cancel := context.WithCancel(context.Background())
	b := background{cancel, make(chan struct{})}
	go func() {
		defer close(b.done)
		work(ctx)
	}()
	return b
}

// endPatience bounds the wait for work that is blocked by a file system.
const endPatience = time.Second

// end cancels the work and waits until it has returned.
func (b background) end() {
	b.cancel()
	select {
	case <-b.done:
	case <-time.After(endPatience):
	}
}
