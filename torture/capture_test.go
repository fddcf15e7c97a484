package torture

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"time"
)

// capture keeps the lines that a server writes, with the time each came.
type capture struct {
	mu      sync.Mutex
	lines   []line
	partial []byte
	seen    int // lines before it are not looked at
}

type line struct {
	at   time.Time
	text string
}

func newCapture() *capture { return &capture{} }

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partial = append(c.partial, p...)
	for {
		text, rest, ok := bytes.Cut(c.partial, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		c.lines = append(c.lines, line{time.Now(), string(text)})
		c.partial = rest
	}
}

// mark has what was written up to now not count.
func (c *capture) mark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = len(c.lines)
}

// since are the lines after the mark.
func (c *capture) since() []line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lines[c.seen:len(c.lines):len(c.lines)]
}

// matches are the lines after the mark that match.
func (c *capture) matches(pattern string) []line {
	expression := regexp.MustCompile(pattern)
	var found []line
	for _, l := range c.since() {
		if expression.MatchString(l.text) {
			found = append(found, l)
		}
	}
	return found
}

// await waits for a line that matches.
func (c *capture) await(pattern string, limit time.Duration) bool {
	return within(limit, func() bool { return len(c.matches(pattern)) > 0 })
}

// chatter is what each login leaves in the log.
var chatter = regexp.MustCompile(`: Info: (Logged in|Login|Disconnected)`)

// tail are the last lines, for a failed test.
func (c *capture) tail(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var said []string
	for _, l := range c.lines {
		if !chatter.MatchString(l.text) {
			said = append(said, l.text)
		}
	}
	return "the server wrote:\n" + strings.Join(said[max(0, len(said)-n):], "\n")
}
