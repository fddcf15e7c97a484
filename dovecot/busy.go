package dovecot

// Lines is how many lines Dovecot has logged. A login logs one at least, so it
// bounds the number of logins between two looks, unless an override silences them.
func (m *Master) Lines() int64 { return m.lines.Load() }

// WakeAt has Busy get a value when Lines reaches a number; never, when that is 0. It
// replaces what it was told before.
func (m *Master) WakeAt(lines int64) {
	m.wakeAt.Store(lines)
	m.wake(m.lines.Load())
}

// Busy gets a value as WakeAt was told.
func (m *Master) Busy() <-chan struct{} { return m.busy }

func (m *Master) wake(lines int64) {
	at := m.wakeAt.Load()
	if at == 0 || lines < at || !m.wakeAt.CompareAndSwap(at, 0) {
		return
	}
	select {
	case m.busy <- struct{}{}:
	default: // not taken yet: one is enough
	}
}
