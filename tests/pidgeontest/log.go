package pidgeontest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Log keeps the lines that a server writes, for whoever waits for one.
type Log struct {
	mu      sync.Mutex
	more    *sync.Cond
	lines   []Line
	partial []byte
	mark    int  // lines before it are not looked at
	ended   bool // nothing more will come
	deaf    bool // nothing more is read
}

// Line is one line, and when it came.
type Line struct {
	At   time.Time
	Text string
}

func newLog() *Log {
	l := &Log{}
	l.more = sync.NewCond(&l.mu)
	return l
}

// Write takes what a server writes.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.deaf {
		l.more.Wait()
	}
	l.partial = append(l.partial, p...)
	for {
		text, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.lines = append(l.lines, Line{time.Now(), string(text)})
		l.partial = rest
		l.more.Broadcast()
	}
}

// change changes the log under its lock, and wakes those who wait for a change.
func (l *Log) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	l.more.Broadcast()
}

// Deafen has nobody read what is written, up to the end of the process that writes it.
func (l *Log) Deafen() { l.change(func() { l.deaf = true }) }

// Mark has what was written up to now not count.
func (l *Log) Mark() { l.change(func() { l.mark = len(l.lines) }) }

// Matches are the lines after the mark that match.
func (l *Log) Matches(pattern string) (found []Line) {
	expression := regexp.MustCompile(pattern)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines[l.mark:] {
		if expression.MatchString(line.Text) {
			found = append(found, line)
		}
	}
	return found
}

// Await waits for a line after the mark that matches.
func (l *Log) Await(pattern string, limit time.Duration) bool {
	expression, late := regexp.MustCompile(pattern), false
	matches := func(line Line) bool { return expression.MatchString(line.Text) }
	timer := time.AfterFunc(limit, func() { l.change(func() { late = true }) })
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !slices.ContainsFunc(l.lines[l.mark:], matches) && !late && !l.ended {
		l.more.Wait()
	}
	return slices.ContainsFunc(l.lines[l.mark:], matches)
}

// All is all that was written.
func (l *Log) All() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return joined(l.lines)
}

// chatter is what each login leaves.
var chatter = regexp.MustCompile(`: Info: (Logged in|Login|Disconnected)`)

// Tail are the last lines, for a failed test.
func (l *Log) Tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := slices.DeleteFunc(slices.Clone(l.lines), func(line Line) bool { return chatter.MatchString(line.Text) })
	return "the server wrote:\n" + joined(said[max(0, len(said)-n):])
}

func joined(lines []Line) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}
