package master

import (
	"bufio"
	"errors"
	"io"
	"regexp"
)

// "Nov 23 15:20:48 master: Error: …"
var masterComplains = regexp.MustCompile(`\bmaster: (?:Error|Fatal|Panic): (.*)`)

// "service(imap-login): child 372 returned error 89 (Fatal failure)" says nothing of
// a reload: a process that starts while one goes on may find the config service
// gone, and is started again (seen on 2.4.1 with many logins).
var childEnded = regexp.MustCompile(`^service\(.*\): child \d+ (?:returned error|killed with signal) `)

// readLog passes on what Dovecot logs, and takes note of what the master complains of.
func (p *Process) readLog(log io.Writer) {
	lines := bufio.NewReaderSize(p.logged, 64<<10)
	for {
		line, err := lines.ReadSlice('\n') // a longer line comes in parts, and passes all the same
		log.Write(line)
		p.wake(p.lines.Add(1))
		if found := masterComplains.FindSubmatch(line); found != nil && !childEnded.Match(found[1]) {
			p.mu.Lock()
			p.complained = append(p.complained, string(found[1]))
			p.mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// complaints returns the master's error lines since the last call.
func (p *Process) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	complaints := p.complained
	p.complained = nil
	return complaints
}

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
