package server

import (
	"context"
	"errors"
	"syscall"

	"pidgeon/candidate"
	"pidgeon/dovecot/master"
	"pidgeon/lifecycle"
)

// Reload publishes a generation, has Dovecot load it, and checks that its listeners exist
// and that those which greeted before do so again.
func (s *Server) Reload(ctx context.Context, r lifecycle.Reload) lifecycle.Event {
	g := r.Generation
	if r.Reason != lifecycle.GreetOnly && g.Greeted == nil { // after a start on trust, which asks for no greeting
		g.Greeted, _, _ = s.greetings(ctx, g)
	}
	if err := s.load(ctx, r); err != nil && ctx.Err() == nil {
		var refused *master.Refused
		whole := errors.As(err, &refused) && !refused.Partial
		return lifecycle.ReloadUnconfirmed{Reload: r, Reasons: []string{err.Error()}, KeptPrevious: whole}
	}
	greeted, silent, mute := s.greetings(ctx, g)
	switch {
	case ctx.Err() != nil:
		// The container stops. Going back needs another SIGHUP, and a master whose files
		// vanish meanwhile hangs for 10 s (2.4.1).
		return nil
	case len(mute) > 0 && r.Reason != lifecycle.GreetOnly: // which has no generation to go back to
		err := &master.Refused{Complaints: mute, Partial: true}
		return lifecycle.ReloadUnconfirmed{Reload: r, Reasons: []string{err.Error()}, SilencedListener: true}
	}
	return lifecycle.ReloadConfirmed{Reload: r, Greeted: greeted, Silent: silent}
}

func (s *Server) load(ctx context.Context, r lifecycle.Reload) error {
	if r.Reason == lifecycle.GreetOnly {
		return nil
	}
	if err := s.Store.Publish(r.Generation.Dir); err != nil {
		return &master.Refused{Complaints: []string{err.Error()}}
	}
	if err := s.master.Reload(ctx, func() error { return s.process.Signal(syscall.SIGHUP) }); err != nil {
		return err
	}
	if missing := master.MissingListeners(r.Generation.Ports()); missing != nil {
		return missing
	}
	return nil
}

// KeepLastGood copies a generation to STATE_DIR, and removes older ones from RUN_DIR.
func (s *Server) KeepLastGood(g lifecycle.Generation) {
	if err := candidate.SaveLastGood(string(s.Settings.StateDir), g.Dir, g.Verdict); err != nil {
		s.Log.Warn("last good configuration not kept", "error", err)
	}
	if err := s.Store.Prune(); err != nil {
		s.Log.Warn("old generations not removed", "error", err)
	}
}
