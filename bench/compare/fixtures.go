package main

import (
	"embed"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"

	"pidgeon/certificate"
	"pidgeon/tests/pidgeontest"
)

// fixtures are the files that every server of a run gets: the same users, and
// the same certificate.
type fixtures struct {
	dir     string
	dialect string
}

// mailDir lies in the memory that a root file system's changes go to, so that no
// disk is measured.
const mailDir = "/srv/mail"

// mailUID owns all mail. inotify instances, which idle sessions take, are counted
// by user across all containers: this one is nobody else's.
const mailUID = 23000

func newFixtures(dialect string, users int) (fixtures, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fixtures{}, err
	}
	f := fixtures{dir, dialect}
	if err := os.Chmod(dir, 0o755); err != nil { // every user has to get through
		return f, err
	}
	pair, err := certificate.SelfSigned(f.path("self-signed"), "*."+domain, time.Now())
	if err != nil {
		return f, err
	}
	for name, data := range map[string][]byte{"tls.crt": pair.Certificate, "tls.key": pair.Key, "users": pidgeontest.Users(users)} {
		if err := os.WriteFile(f.path(name), data, 0o644); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f fixtures) path(name string) string { return filepath.Join(f.dir, name) }

// common is what the distribution's configuration lacks for a measurement: users,
// certificate, mail, listeners of our own.
//
//go:embed *.conf.tmpl
var common embed.FS

// conf is a Dovecot configuration beside the distribution's.
func (f fixtures) conf(c configuration, p ports) (string, error) {
	t, err := template.ParseFS(common, f.dialect+".conf.tmpl")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, struct {
		Dir, Mail string
		UID       int
		Ports     ports
	}{f.dir, mailDir, mailUID, p})
	return b.String() + c.conf(f.dialect, runtime.NumCPU()), err
}
