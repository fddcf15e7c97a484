package dovecot

// WakeAfter has Busy get a value once Dovecot has logged so many more lines: a
// login logs at least one, so fewer lines mean fewer logins. It replaces what it
// was told before. Where an override silences the log, nothing comes.
func (m *Master) WakeAfter(lines int) { m.left.Store(int64(lines)) }

// Busy gets a value as WakeAfter was told.
func (m *Master) Busy() <-chan struct{} { return m.busy }

// count takes note of a line.
func (m *Master) count() {
	if m.left.Add(-1) != 0 {
		return
	}
	select {
	case m.busy <- struct{}{}:
	default: // not taken yet: one is enough
	}
}
