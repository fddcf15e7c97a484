package master

// Lines is how many lines Dovecot has logged. A login logs one at least, so it
// bounds the number of logins between two looks, unless an override silences them.
func (p *Process) Lines() int64 { return p.lines.Load() }

// WakeAt has Busy get a value when Lines reaches a number; never, when that is 0. It
// replaces what it was told before.
func (p *Process) WakeAt(lines int64) {
	p.wakeAt.Store(lines)
	p.wake(p.lines.Load())
}

// Busy gets a value as WakeAt was told.
func (p *Process) Busy() <-chan struct{} { return p.busy }

func (p *Process) wake(lines int64) {
	at := p.wakeAt.Load()
	if at == 0 || lines < at || !p.wakeAt.CompareAndSwap(at, 0) {
		return
	}
	select {
	case p.busy <- struct{}{}:
	default: // not taken yet: one is enough
	}
}
