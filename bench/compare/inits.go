package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"pidgeon/bench/table"
)

// An init is what can stand before Dovecot as PID 1, beside pidgeon.
type initProgram struct {
	name string
	// command starts Dovecot on the files that pidgeon rendered.
	command func(b *bench, conf, greeting string) []string
	binary  string // in the bin directory, or in the path; empty for Dovecot's own
}

// inits are compared as far as they could be had.
var inits = []initProgram{
	{"dovecot -F", func(_ *bench, conf, _ string) []string { return []string{"dovecot", "-F", "-c", conf} }, ""},
	{"tini", func(b *bench, conf, _ string) []string {
		return []string{b.tool("tini"), "--", "dovecot", "-F", "-c", conf}
	}, "tini"},
	{"dumb-init", func(b *bench, conf, _ string) []string {
		return []string{b.tool("dumb-init"), "--", "dovecot", "-F", "-c", conf}
	}, "dumb-init"},
	{"consul-template", (*bench).consulTemplate, "consul-template"},
	{"gomplate", (*bench).gomplate, "gomplate"},
}

func (b *bench) tool(name string) string { return filepath.Join(b.bin, name) }

// row is that of an init; where it has no figures, it says why.
func (b *bench) row(i initProgram) *table.Row {
	row := &table.Row{Name: i.name}
	if i.binary == "" {
		return row // Dovecot's own
	}
	if _, err := os.Stat(b.tool(i.binary)); err != nil {
		row.Note = "could not be had"
	}
	return row
}

// consulTemplate renders the greeting from a file that it watches, which is what
// it does for a mounted override, and signals Dovecot.
func (b *bench) consulTemplate(conf, greeting string) []string {
	text := fmt.Sprintf(`template {
  contents = "{{ file \"%s.in\" }}"
  destination = "%s"
}
exec {
  command = ["dovecot", "-F", "-c", "%s"]
  reload_signal = "SIGHUP"
  kill_signal = "SIGTERM"
}
`, greeting, greeting, conf)
	path := greeting + ".hcl"
	_ = os.WriteFile(path, []byte(text), 0o644)
	_ = os.WriteFile(greeting+".in", []byte("login_greeting = first\n"), 0o644)
	return []string{b.tool("consul-template"), "-config", path}
}

// gomplate renders once, before it starts the command: it follows nothing.
func (b *bench) gomplate(conf, greeting string) []string {
	text := "login_greeting = first\n"
	_ = os.WriteFile(greeting+".in", []byte(text), 0o644)
	return []string{b.tool("gomplate"), "-f", greeting + ".in", "-o", greeting, "--", "dovecot", "-F", "-c", conf}
}

// rendered starts an init on the files that pidgeon renders for the same sessions
// and ports. One more file is included at the end, which is what an edit changes.
func (b *bench) rendered(i initProgram, p ports) (s spec, greeting string) {
	dir := b.path(fmt.Sprintf("rendered-%d", p.IMAP))
	conf, greeting := dir+"/dovecot.conf", dir+".greeting"
	_ = os.WriteFile(greeting, nil, 0o644)
	return spec{
		name: i.name,
		prepare: fmt.Sprintf("%s render --output %s && mkdir -p /run/pidgeon/dovecot && echo '!include_try %s' >>%s",
			b.pidgeon(), dir, greeting, conf),
		command: i.command(b, conf, greeting),
		environ: b.environ("performance", p, b.sessions),
	}, greeting
}

// inside runs a command in a server's namespaces.
func (s *server) inside(command ...string) error {
	target := fmt.Sprint(s.pid())
	out, err := exec.Command("nsenter", append([]string{"-t", target, "-p", "-m", "-r", "-w", "--"}, command...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%v: %w: %s", command, err, out)
	}
	return nil
}
