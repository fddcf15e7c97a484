package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"pidgeon/tests/pidgeontest"
)

// patience is how long anything may take that takes milliseconds on an idle
// machine.
const patience = 30 * time.Second

// A spec says what to start inside a root file system.
type spec struct {
	name    string
	prepare string   // a shell command that comes before, untimed
	command []string // becomes PID 1
	environ []string
	ports   ports
}

// ports are a server's listeners.
type ports struct{ IMAP, IMAPS string }

func freePorts() ports { return ports{pidgeontest.FreePort(), pidgeontest.FreePort()} }

// server is a spec in a container. The fixtures and the programs have the same path
// there.
type server struct {
	*pidgeontest.Container
	spec
	gate      io.Writer
	greetedIn time.Duration // from open to the first greeting
}

const prepared = "bench: prepared"

// launch makes the container and does what is to be prepared; open lets the command
// run. What lies between is not worth measuring.
func (b *bench) launch(s spec) (*server, error) {
	script := `{ ` + s.prepare + `
} && echo ` + prepared + ` && read -r _ && exec "$@"`
	cmd := pidgeontest.Command(b.root, []string{b.dir, b.bin, b.program}, append([]string{"bash", "-ec", script, "bash"}, s.command...)...)
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, s.environ...)
	gate, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	server := &server{Container: pidgeontest.NewContainer(), spec: s, gate: gate}
	if err := server.Start(cmd); err != nil {
		return nil, err
	}
	if !server.Log.Await(prepared, patience) {
		server.Kill()
		return nil, server.fault("the preparation does not end")
	}
	return server, nil
}

// open lets the command run.
func (s *server) open() { fmt.Fprintln(s.gate) }

// start launches, opens and waits for the first greeting.
func (b *bench) start(s spec) (*server, error) {
	server, err := b.launch(s)
	if err != nil {
		return nil, err
	}
	server.open()
	begin := time.Now()
	if err := server.serves(""); err != nil {
		server.Kill()
		return nil, err
	}
	server.greetedIn = time.Since(begin)
	return server, nil
}

// serves asks for greetings, one after the other, until one contains text.
func (s *server) serves(text string) error {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		greeting, err := pidgeontest.Greeting(s.ports.IMAP, patience)
		if err == nil && strings.Contains(greeting, text) {
			return nil
		}
		if time.Now().After(end) {
			return s.fault(fmt.Sprintf("no greeting with %q within %v: %q, %v", text, patience, greeting, err))
		}
	}
}

// fault is an error, with what the server wrote last.
func (s *server) fault(complaint string) error {
	return fmt.Errorf("%s: %s: %s", s.name, complaint, s.Log.Tail(10))
}
