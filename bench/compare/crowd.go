package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// crowd is a load that holds sessions.
type crowd struct {
	*load
	held int
}

func (b *bench) crowd(s *server, first, count int) (*crowd, error) {
	l, err := b.load(s.ports, "-state", b.state, "-first", strconv.Itoa(first), "-hold", strconv.Itoa(count))
	if err != nil {
		return nil, err
	}
	var said struct {
		Held    int            `json:"held"`
		Refused map[string]int `json:"refused"`
	}
	if err := l.hear(&said); err != nil {
		l.end()
		return nil, err
	}
	if b.only != "" {
		fmt.Fprintf(os.Stderr, "held %d of %d from user%d on; refused: %v\n", said.Held, count, first, said.Refused)
	}
	time.Sleep(settling)
	return &crowd{l, said.Held}, nil
}

// alive asks each session.
func (c *crowd) alive() (int, error) {
	c.say()
	var said struct {
		Alive int `json:"alive"`
	}
	err := c.hear(&said)
	return said.Alive, err
}

func sum(counts ...func() (int, error)) (total int, err error) {
	for _, count := range counts {
		n, err := count()
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
