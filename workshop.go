package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"pidgeon/dovecot"
	"pidgeon/publish"
	"pidgeon/settings"
	"pidgeon/supervise"
)

// tempStore is a store of its own for commands that publish nothing.
func tempStore(gid int) (store *publish.Store, remove func(), err error) {
	dir, err := os.MkdirTemp("", "pidgeon-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	// Dovecot's users have to get through to the rehearsal; a generation lets
	// only its own group in.
	if err := os.Chmod(dir, 0o755); err != nil {
		remove()
		return nil, nil, err
	}
	store, err = publish.Open(dir, gid)
	if err != nil {
		remove()
	}
	return store, remove, err
}

// workshop is what check and render need: everything but a running Dovecot.
type workshop struct {
	builder
	store   *publish.Store
	closing closers
}

func (c command) workshop() (*workshop, error) {
	s, faults := settings.Load(c.environ)
	if faults != nil {
		return nil, faults
	}
	w := &workshop{}
	children, err := supervise.New(newLogger(s))
	if err != nil {
		return nil, err
	}
	w.closing.add(children.Close)
	err = w.open(c.environ, s, children)
	if err != nil {
		w.closing.close()
	}
	return w, err
}

func (w *workshop) open(environ []string, s settings.Settings, children *supervise.Supervisor) (err error) {
	w.environ, w.run = environ, children.Run
	if w.dovecot, err = dovecot.Find(context.Background(), children.Run); err != nil {
		return err
	}
	if w.builtin, err = fs.Sub(templates, "templates/"+w.dovecot.Dialect); err != nil {
		return err
	}
	if w.identity, err = whoami(string(s.RunDir)); err != nil {
		return err
	}
	if w.machine, w.allowed, err = measure(s); err != nil {
		return err
	}
	w.bound = listening(string(s.RunDir))
	store, remove, err := tempStore(dovecotGroup(w.identity))
	if err != nil {
		return err
	}
	w.store, w.selfSigned, w.rehearsal = store, store.Dir, filepath.Join(store.Dir, "rehearsal")
	w.closing.add(remove)
	return nil
}

// candidate makes and checks one, as the entrypoint would.
func (w *workshop) candidate(ctx context.Context) (candidate, string, error) {
	in, err := w.read(ctx)
	if err != nil {
		return candidate{remarks: in.remarks}, "", err
	}
	if err := w.trial(ctx, in.tree); err != nil {
		return candidate{remarks: in.remarks}, "", err
	}
	c, err := w.build(in, w.store.Next())
	if err != nil {
		return c, "", err
	}
	dir, err := w.builder.check(ctx, w.store, in, &c)
	return c, dir, err
}
