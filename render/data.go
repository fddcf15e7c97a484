package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pidgeon/config"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// Data is what templates see.
type Data struct {
	Settings settings.Settings
	Sizes    sizing.Sizes
	Env      map[string]any // the whole environment, strings all; a missing name is an error

	Dir      string // the generation this is rendered for
	BaseDir  string // Dovecot's base_dir
	StateDir string // Dovecot's state_dir

	// User and Group are names of the ordinary user Dovecot runs as; empty as root.
	User, Group string
	// MailUID and MailGID own all mail.
	MailUID, MailGID int

	Includes []string // set for the main file: what it has to include, in order

	// Certificate and Key are PEM; templates refer to them as tls.crt and tls.key
	// in Dir. A generation holds its own copy, so that a renewal is a new
	// generation and never a certificate beside the key of another.
	Certificate, Key []byte
}

// FirstUID is the lowest owner of mail that Dovecot may accept; its own default,
// 500, would refuse a container started as a low user.
func (d Data) FirstUID() int { return min(500, d.MailUID) }

// secrets are the files beside the configuration.
func secrets(data Data) config.Files {
	files := config.Files{
		{Name: config.DirFile, Origin: "pidgeon", Mode: 0o640, Data: []byte(data.Dir + "\n")},
		{Name: "users", Origin: "USERS", Mode: 0o640, Data: passwdFile(data.Settings.Users)},
	}
	if len(data.Certificate) > 0 {
		files = append(files,
			config.File{Name: "tls.crt", Origin: string(data.Settings.TLSCertPath), Mode: 0o640, Data: data.Certificate},
			config.File{Name: "tls.key", Origin: string(data.Settings.TLSKeyPath), Mode: 0o600, Data: data.Key})
	}
	return files
}

func passwdFile(users settings.Users) []byte {
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, "%s:%s\n", u.Name, u.Password)
	}
	return []byte(b.String())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
