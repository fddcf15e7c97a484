package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// load is a running bench/load. It is a process of its own, so that what it takes
// of the machine can be told from what the server takes.
type load struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

func (b *bench) load(p ports, args ...string) (*load, error) {
	args = append([]string{"-address", "127.0.0.1:" + strconv.Itoa(p.IMAPS)}, args...)
	l := &load{cmd: exec.Command(filepath.Join(b.bin, "load"), args...)}
	l.cmd.Stderr = os.Stderr
	var err error
	if l.input, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.output = bufio.NewReader(output)
	return l, l.cmd.Start()
}

// say lets it go on.
func (l *load) say() { fmt.Fprintln(l.input) }

// hear reads the next thing it says.
func (l *load) hear(what any) error {
	line, err := l.output.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the load ended: %w", err)
	}
	return json.Unmarshal(line, what)
}

func (l *load) end() {
	_ = l.cmd.Process.Kill()
	_ = l.cmd.Wait()
}
