package main

import (
	"fmt"
	"os"
	"path/filepath"

	"pidgeon/tests/pidgeontest"
)

// startToGreeting is the time from the start of PID 1 to the first greeting: of
// Dovecot alone on the files that pidgeon renders, behind other inits, and of
// pidgeon, which renders them. All kinds of start are measured: with a new state
// volume, with one that knows this configuration to have worked, and with one that
// knows another, where this one is checked and rehearsed first.
func (b *bench) startToGreeting() error {
	var rows []row
	for _, i := range inits {
		rows = append(rows, row{i.name, func(b *bench) (string, error) {
			s, _, err := b.rendered(i)
			if err != nil {
				return "", err
			}
			return b.timeStart(s)
		}})
	}
	for _, mode := range []string{"secure", "performance"} {
		for _, state := range []string{"new", "kept", "another"} {
			name := fmt.Sprintf("pidgeon-%s:%s-state", mode, state)
			rows = append(rows, row{name, func(b *bench) (string, error) { return b.timePidgeon(name, mode, state) }})
		}
	}
	return b.interleave("Start", rows)
}

// timePidgeon has a state that is kept come from a start on the same ports: on
// others it would be another configuration.
func (b *bench) timePidgeon(name, mode, state string) (string, error) {
	s, err := b.ours(name, mode, freePorts())
	if err != nil {
		return "", err
	}
	if state != "new" {
		if err := b.startUntilSaved(s); err != nil {
			return "", err
		}
	}
	if state == "another" {
		s.environ = append(s.environ, "RECIPIENT_DELIMITER=-")
	}
	return b.timeStart(s)
}

// startUntilSaved has a server keep a generation that worked in its state directory.
func (b *bench) startUntilSaved(s spec) error {
	server, err := b.launch(s)
	if err != nil {
		return err
	}
	defer server.Kill()
	server.open()
	kept := filepath.Join(b.path("state-"+s.ports.IMAP), "last-good", "manifest.json")
	if !pidgeontest.Within(patience, func() bool { _, err := os.Stat(kept); return err == nil }) {
		return server.fault("nothing was saved as " + kept)
	}
	return nil
}

func (b *bench) timeStart(s spec) (string, error) {
	server, err := b.start(s)
	if err != nil {
		return "", err
	}
	defer server.Kill()
	return fmt.Sprintf("%d ns/op", server.greetedIn), nil
}
