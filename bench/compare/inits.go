package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// An init is what can stand before Dovecot as PID 1, beside pidgeon.
type initProgram struct {
	name string
	// command starts Dovecot on the files that pidgeon rendered.
	command func(b *bench, conf, greeting string) []string
}

// bare is Dovecot as PID 1 itself.
const bare = "dovecot-F"

// inits are compared as far as they could be had.
var inits = []initProgram{
	{bare, func(_ *bench, conf, _ string) []string { return []string{"dovecot", "-F", "-c", conf} }},
	{"tini", func(b *bench, conf, _ string) []string {
		return []string{b.tool("tini"), "--", "dovecot", "-F", "-c", conf}
	}},
	{"dumb-init", func(b *bench, conf, _ string) []string {
		return []string{b.tool("dumb-init"), "--", "dovecot", "-F", "-c", conf}
	}},
	{"consul-template", (*bench).consulTemplate},
	{"gomplate", (*bench).gomplate},
}

func (b *bench) tool(name string) string { return filepath.Join(b.bin, name) }

// had tells why an init cannot be compared.
func (b *bench) had(i initProgram) error {
	if i.name == bare {
		return nil
	}
	if _, err := os.Stat(b.tool(i.name)); err != nil {
		return errors.New("could not be had")
	}
	return nil
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
func (b *bench) rendered(i initProgram, p ports) (s spec, greeting string, err error) {
	if err := b.had(i); err != nil {
		return spec{}, "", err
	}
	dir := b.path("rendered-" + p.IMAP)
	conf, greeting := dir+"/dovecot.conf", dir+".greeting"
	if err := os.WriteFile(greeting, nil, 0o644); err != nil {
		return spec{}, "", err
	}
	return spec{
		name: i.name,
		prepare: fmt.Sprintf("%s render --output %s && mkdir -p /run/pidgeon/dovecot && echo '!include_try %s' >>%s && chmod -R a+rX %s && chown %d %s",
			b.pidgeon(), dir, greeting, conf, dir, mailUID, mailDir),
		command: i.command(b, conf, greeting),
		environ: b.environ("performance", p),
	}, greeting, nil
}
