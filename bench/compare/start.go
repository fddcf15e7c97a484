package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"pidgeon/bench/table"
)

// startToGreeting is the time from the start of PID 1 to the first greeting: of
// Dovecot alone on the files that pidgeon renders, behind other inits, and of
// pidgeon, which renders them. All kinds of start are measured: with a new state
// volume, with one that knows this configuration to have worked, and with one that
// knows another, where this one is checked and rehearsed first.
func (b *bench) startToGreeting() error {
	var entries []entry
	for _, i := range inits {
		entries = append(entries, entry{b.row(i), func() ([]float64, error) {
			return b.timeStart(func(p ports) spec { s, _ := b.rendered(i, p); return s })
		}})
	}
	for _, mode := range []string{"secure", "performance"} {
		for _, state := range []string{"new", "kept", "another"} {
			name := fmt.Sprintf("pidgeon %s, %s state", mode, state)
			entries = append(entries, entry{&table.Row{Name: name}, func() ([]float64, error) {
				return b.timePidgeon(name, mode, state)
			}})
		}
	}
	rows := interleave(b.rounds, entries)
	fmt.Printf("Start to first greeting: Dovecot %s; median (range) of %d rounds.\n\n", b.dialect, b.rounds)
	table.Print(os.Stdout, []table.Column{{Title: "ms", Ratio: true}}, rows)
	return nil
}

func (b *bench) pidgeonStart(name, mode, state string, p ports) spec {
	dir := b.path("state-" + mode)
	s := spec{name: name, prepare: "true", command: []string{b.pidgeon()}}
	if state == "new" {
		s.prepare = "rm -rf " + dir
	}
	s.environ = append(b.environ(mode, p, b.sessions), "STATE_DIR="+dir)
	return s
}

// timePidgeon has a state that is kept come from a start on the same ports: on
// others it would be another configuration.
func (b *bench) timePidgeon(name, mode, state string) ([]float64, error) {
	p, err := b.free.pair()
	if err != nil {
		return nil, err
	}
	s := b.pidgeonStart(name, mode, state, p)
	if state != "new" {
		if err := b.startUntilSaved(s, p, b.path("state-"+mode)); err != nil {
			return nil, err
		}
	}
	if state == "another" {
		s.environ = append(s.environ, "RECIPIENT_DELIMITER=-")
	}
	return b.timeStartOn(s, p)
}

// startUntilSaved has a server keep a generation that worked in a new state directory.
func (b *bench) startUntilSaved(s spec, p ports, dir string) error {
	s.prepare = "rm -rf " + dir
	server, err := b.launch(s, p)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := server.prepared(); err != nil {
		return err
	}
	server.open()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "last-good", "manifest.json")); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: nothing was saved in %s within %v", s.name, dir, patience)
}

func (b *bench) timeStart(of func(ports) spec) ([]float64, error) {
	p, err := b.free.pair()
	if err != nil {
		return nil, err
	}
	return b.timeStartOn(of(p), p)
}

func (b *bench) timeStartOn(s spec, p ports) ([]float64, error) {
	server, err := b.launch(s, p)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	if err := server.prepared(); err != nil {
		return nil, err
	}
	begin := server.open()
	if err := server.serves(""); err != nil {
		return nil, err
	}
	return []float64{milliseconds(time.Since(begin))}, nil
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
