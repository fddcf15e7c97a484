package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/config"
	"pidgeon/finding"
	"pidgeon/publish"
)

// generations is what the entrypoint knows of the configurations it has judged.
type generations struct {
	// settled is the last one that was judged, published or refused: the same
	// sources need not be judged again.
	settled config.Sum
	seen    config.Sum // the overrides that were read last
	rushed  int        // how often in a row they changed while they were judged
	slow    slowness
	tried   config.Sum // the overrides whose templates come to an end
	applied config.Sum // the one that Dovecot runs
	effect  config.Sum
	dir     string          // where that one lies
	greeted map[string]bool // the listeners that were seen to greet
	told    string          // the remarks that were logged last
	state   state
}

// serving records that the generation is in force.
func (e *entrypoint) serving() {
	e.state.Ready = true
	e.state.Since = time.Now()
	e.state.LastReload = e.state.Since
	e.control.set(e.state)
	if e.state.Degraded {
		return
	}
	if err := publish.SaveGood(string(e.settings.StateDir), e.dir); err != nil {
		e.log.Warn("last good configuration not kept", "error", err)
	}
	if err := e.store.Prune(); err != nil {
		e.log.Warn("old generations not removed", "error", err)
	}
}

// accept takes a candidate for the one in force.
func (e *entrypoint) accept(c candidate, dir string) {
	e.dir, e.applied, e.effect = dir, c.digest, c.effect
	e.state.Version, e.state.Dovecot = version, e.dovecot.Version
	e.state.Generation = filepath.Base(dir)
	e.state.Overrides, e.state.Listeners = c.overrides, c.ports()
	e.bound, e.overridden, e.running = c.listeners, len(c.overrides) > 0, overrideDigests(c.files)
	e.state.CertificateExpires = c.expires
	e.state.ceilings, e.state.Room = e.ceilings(c)
	e.state.Degraded, e.state.Refused = false, nil
}

// refuse says why a change is not in force.
func (e *entrypoint) refuse(reason error) {
	why := sentences(reason)
	var list finding.List
	if !errors.As(reason, &list) && e.state.Degraded && slices.Equal(why, e.state.Refused) {
		return // a check that could not be made is made again, and once said is enough
	}
	e.state.Degraded, e.state.Refused = true, why
	e.state.Reloads.Refused++
	for _, sentence := range e.state.Refused {
		e.log.Error("refused", "reason", sentence, "running", e.state.Generation)
	}
	e.control.set(e.state)
}

// noEffect takes note of a change that changes nothing for Dovecot: it is spared
// the reload, and the operator the wondering.
func (e *entrypoint) noEffect(c candidate) {
	e.applied = c.digest
	e.state.Overrides, e.overridden, e.running = c.overrides, len(c.overrides) > 0, overrideDigests(c.files)
	e.state.Degraded, e.state.Refused = false, nil
	e.log.Info("changed without effect", "running", e.state.Generation, "overrides", c.overrides)
	e.control.set(e.state)
}

// recover takes note that what was refused was taken back.
func (e *entrypoint) recover() {
	if !e.state.Degraded {
		return
	}
	e.state.Degraded, e.state.Refused = false, nil
	e.log.Info("taken back", "running", e.state.Generation)
	e.control.set(e.state)
}

// tell logs remarks, unless they are among those that were told last.
func (e *entrypoint) tell(remarks finding.List) {
	for _, remark := range remarks {
		if !strings.Contains(e.told, remark.Error()) {
			e.log.Warn("noticed", "what", remark)
		}
	}
	e.told = remarks.Error()
}
