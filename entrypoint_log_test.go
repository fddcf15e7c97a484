package main

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"time"
)

// capture keeps the lines that a server writes, for whoever waits for one.
type capture struct {
	mu      sync.Mutex
	more    *sync.Cond
	lines   []string
	partial []byte
	mark    int  // lines before it are not looked at
	ended   bool // nothing more will come
}

func newCapture() *capture {
	c := &capture{}
	c.more = sync.NewCond(&c.mu)
	return c
}

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partial = append(c.partial, p...)
	for {
		line, rest, ok := bytes.Cut(c.partial, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		c.lines = append(c.lines, string(line))
		c.partial = rest
		c.more.Broadcast()
	}
}

// begin and end frame what one process writes.
func (c *capture) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark, c.ended = len(c.lines), false
}

func (c *capture) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.more.Broadcast()
}

// forget moves the mark to the end.
func (c *capture) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = len(c.lines)
}

// matches are the lines after the mark that match.
func (c *capture) matches(pattern *regexp.Regexp) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.matching(pattern)
}

func (c *capture) matching(pattern *regexp.Regexp) []string {
	var found []string
	for _, line := range c.lines[c.mark:] {
		if pattern.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

// await waits for a line that matches.
func (c *capture) await(pattern *regexp.Regexp, patience time.Duration) bool {
	late := false
	timer := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		late = true
		c.more.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.matching(pattern)) == 0 && !late && !c.ended {
		c.more.Wait()
	}
	return len(c.matching(pattern)) > 0
}

func (c *capture) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n") + "\n"
}

// tail are the last lines, for a failed test.
func (c *capture) tail(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "the server wrote:\n" + strings.Join(c.lines[max(0, len(c.lines)-n):], "\n")
}
