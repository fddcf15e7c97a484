package main

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"pidgeon/dovecot"
	"pidgeon/master"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/supervise"
	"pidgeon/watch"
)

// exitConfig is EX_CONFIG of sysexits(3): the configuration cannot be used.
const exitConfig = 78

// threads are kept beside the 8 that wait for something when all is idle; no more
// than 1 of them was seen in use.
const threads = 8

// entrypoint is the life of the container: it starts Dovecot, follows what it is
// configured from, and stops it.
type entrypoint struct {
	builder
	settings settings.Settings
	log      *slog.Logger
	signals  <-chan os.Signal
	children *supervise.Supervisor
	store    *publish.Store
	watcher  *watch.Watcher
	control  *control

	master  *master.Process
	process *supervise.Process // nil until Dovecot is started

	announced bool // what this container holds
	hears     bool // Dovecot serves, and listens to signals
	wary      bool // nothing is started with before it is judged
	wanted    bool // a look at the sources is due
	forced    bool // and a reload with it, changed or not
	stopping  bool // a stop signal has come
	generations
}

// runEntrypoint lives the life of the container and returns its exit code.
func runEntrypoint(environ []string, builtin fs.FS) int {
	signals := make(chan os.Signal, 16)
	defer supervise.Notify(signals)()
	s, faults := settings.Load(environ)
	log := newLogger(s)
	if faults != nil {
		return unusable(log, faults)
	}
	children, err := supervise.New(log)
	if err != nil {
		return unusable(log, err)
	}
	defer children.Close()
	e := &entrypoint{settings: s, log: log, signals: signals, children: children, wary: s.OnInvalid == "fail"}
	e.environ, e.run = environ, children.Run
	e.selfSigned = filepath.Join(string(s.StateDir), "self-signed")
	e.rehearsal = filepath.Join(string(s.RunDir), "rehearsal")
	closing, err := e.open(builtin)
	defer closing.close()
	if err != nil {
		return unusable(log, err)
	}
	return e.live()
}

// unusable logs why there is nothing to run.
func unusable(log *slog.Logger, err error) int {
	for _, sentence := range slices.Compact(sentences(err)) { // the last good one may have the same fault
		log.Error("configuration cannot be used", "reason", sentence)
	}
	return exitConfig
}

// open acquires what the life needs; what is returned gives it back, also after
// an error.
func (e *entrypoint) open(builtin fs.FS) (closing closers, err error) {
	s := e.settings
	if e.dovecot, err = dovecot.Find(context.Background(), e.children.Run); err != nil {
		return closing, err
	}
	if e.builtin, err = fs.Sub(builtin, "templates/"+e.dovecot.Dialect); err != nil {
		return closing, err
	}
	if err = os.MkdirAll(string(s.RunDir), 0o755); err != nil {
		return closing, err
	}
	if e.identity, err = whoami(string(s.RunDir)); err != nil {
		return closing, err
	}
	lock, err := prepare(s, e.identity)
	if err != nil {
		return closing, err
	}
	closing.add(func() { lock.Close() })
	if e.machine, e.allowed, err = measure(e.settings); err != nil {
		return closing, err
	}
	// What is left to do is done one thing after the other, most of it in other
	// processes. A processor more would cost memory.
	runtime.GOMAXPROCS(1)
	if e.store, err = publish.Open(string(s.RunDir), dovecotGroup(e.identity)); err != nil {
		return closing, err
	}
	if e.control, err = listenControl(string(s.RunDir)); err != nil {
		return closing, err
	}
	closing.add(e.control.close)
	closing.add(e.serveMetrics())
	closing.add(e.follow())
	return closing, nil
}

// follow starts to watch; what it returns ends that.
func (e *entrypoint) follow() (stop func()) {
	e.watcher = watch.New(e.log, watch.Options{})
	e.watchSources(e.settings, nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.watcher.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// closers give back what was acquired, last first.
type closers []func()

func (c *closers) add(f func()) { *c = append(*c, f) }

func (c *closers) close() {
	for i := len(*c) - 1; i >= 0; i-- {
		(*c)[i]()
	}
}
