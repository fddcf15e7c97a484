package main

import (
	"fmt"
	"os"
)

// spec is how a configuration's server is started: pidgeon as PID 1, or Dovecot
// itself, on the distribution's files with ours after them. Those have the users
// that PAM knows, so that one line is commented out as an operator would.
func (b *bench) spec(c configuration) (spec, error) {
	if c.mode != "-" {
		return b.ours(c.name, c.mode, freePorts())
	}
	p := freePorts()
	text, err := b.conf(c, p)
	if err != nil {
		return spec{}, err
	}
	conf := b.path("bench-" + p.IMAP + ".conf")
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return spec{}, err
	}
	return spec{
		name:    c.name,
		prepare: fmt.Sprintf("sed -i 's/^!include auth-system/#&/' /etc/dovecot/conf.d/10-auth.conf; cp %s /etc/dovecot/conf.d/99-bench.conf; chown %d:%d %s", conf, mailUID, mailUID, mailDir),
		command: []string{"dovecot", "-F"},
		ports:   p,
	}, nil
}

// ours is pidgeon, with a directory of overrides that is empty.
func (b *bench) ours(name, mode string, p ports) (spec, error) {
	s := spec{name: name, prepare: "true", command: []string{b.program}, environ: b.environ(mode, p), ports: p}
	return s, os.MkdirAll(b.overrides(p), 0o755)
}

// environ is pidgeon's, with everything that changes below the fixtures, where it
// can be changed from outside.
func (b *bench) environ(mode string, p ports) []string {
	return []string{
		"PROTOCOLS=imap", "LISTEN=127.0.0.1", "IMAP_PORT=" + p.IMAP, "IMAPS_PORT=" + p.IMAPS,
		"IMAP_MODE=" + mode, fmt.Sprint("IMAP_CONCURRENCY=", b.sessions), "USERS_FILE=" + b.path("users"),
		"TLS_CERT_PATH=" + b.path("tls.crt"), "TLS_KEY_PATH=" + b.path("tls.key"),
		"MAIL_DIR=" + mailDir, fmt.Sprint("MAIL_UID=", mailUID), fmt.Sprint("MAIL_GID=", mailUID),
		"OVERRIDES_DIR=" + b.overrides(p), "STATE_DIR=" + b.path("state-"+p.IMAP),
	}
}

func (b *bench) overrides(p ports) string { return b.path("overrides-" + p.IMAP) }
