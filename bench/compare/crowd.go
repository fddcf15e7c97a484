package main

import (
	"fmt"
	"os"
	"strconv"
)

// crowd is a load that holds sessions.
type crowd struct {
	*load
	tried, held int
}

// crowds hold sessions at the same server, each of users of its own.
type crowds []crowd

// gather has count more sessions tried, and lets them come to rest.
func (b *bench) gather(s *server, all *crowds, count int) error {
	if count <= 0 {
		return nil
	}
	first := 0
	for _, c := range *all {
		first += c.tried
	}
	l, err := b.load(s.ports, "-state", b.state, "-first", strconv.Itoa(first), "-hold", strconv.Itoa(count))
	if err != nil {
		return err
	}
	var said struct {
		Held    int            `json:"held"`
		Refused map[string]int `json:"refused"`
		Seconds float64        `json:"seconds"`
	}
	err = l.hear(&said)
	*all = append(*all, crowd{l, count, said.Held})
	if b.only != "" {
		fmt.Fprintf(os.Stderr, "held %d of %d from user%d on in %.0f s; refused: %v\n", said.Held, count, first, said.Seconds, said.Refused)
	}
	return err
}

func (all crowds) held() (n int) {
	for _, c := range all {
		n += c.held
	}
	return n
}

// alive asks each session, and ends them all.
func (all crowds) alive() (n int, err error) {
	for _, c := range all {
		c.say()
		var said struct {
			Alive int `json:"alive"`
		}
		if err := c.hear(&said); err != nil {
			return 0, err
		}
		n += said.Alive
	}
	return n, nil
}

func (all crowds) end() {
	for _, c := range all {
		c.load.end()
	}
}
