package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// initProgram is a program other than pidgeon that runs Dovecot as PID 1.
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
	{"tini", before("tini")},
	{"dumb-init", before("dumb-init")},
	{"consul-template", (*bench).consulTemplate},
	{"gomplate", (*bench).gomplate},
}

// before is a command that an init stands before.
func before(init string) func(*bench, string, string) []string {
	return func(b *bench, conf, _ string) []string {
		return []string{b.tool(init), "--", "dovecot", "-F", "-c", conf}
	}
}

func (b *bench) tool(name string) string { return filepath.Join(b.bin, name) }

//go:embed consul-template.hcl
var consulTemplate string

// consulTemplate renders the greeting from a file that it watches, which is what
// it does for a mounted override, and signals Dovecot.
func (b *bench) consulTemplate(conf, greeting string) []string {
	path := greeting + ".hcl"
	_ = os.WriteFile(path, []byte(strings.NewReplacer("GREETING", greeting, "CONF", conf).Replace(consulTemplate)), 0o644)
	_ = os.WriteFile(greeting+".in", []byte("login_greeting = first\n"), 0o644)
	return []string{b.tool("consul-template"), "-config", path}
}

// gomplate renders once, before it starts the command: it follows nothing.
func (b *bench) gomplate(conf, greeting string) []string {
	_ = os.WriteFile(greeting+".in", []byte("login_greeting = first\n"), 0o644)
	return []string{b.tool("gomplate"), "-f", greeting + ".in", "-o", greeting, "--", "dovecot", "-F", "-c", conf}
}

// rendered starts an init on the files that pidgeon renders for the same sessions
// and ports. One more file is included at the end, which is what an edit changes.
func (b *bench) rendered(i initProgram) (s spec, greeting string, err error) {
	if _, err := os.Stat(b.tool(i.name)); i.name != bare && err != nil {
		return spec{}, "", errors.New("could not be had")
	}
	p := freePorts()
	dir := b.path("rendered-" + p.IMAP)
	conf, greeting := dir+"/dovecot.conf", dir+".greeting"
	if err := os.WriteFile(greeting, nil, 0o644); err != nil {
		return spec{}, "", err
	}
	return spec{
		name: i.name,
		prepare: fmt.Sprintf("%s render --output %s && mkdir -p /run/pidgeon/dovecot && echo '!include_try %s' >>%s && chmod -R a+rX %s && chown %d %s",
			b.program, dir, greeting, conf, dir, mailUID, mailDir),
		command: i.command(b, conf, greeting),
		environ: b.environ("performance", p),
		ports:   p,
	}, greeting, nil
}
