// Package status answers commands and the exporter over a control socket, and logs when
// sessions come near to a limit. It counts sessions and connections for both, by package
// master, against the limits of package sizing. It decides nothing: the state comes from the
// caller as a Snapshot.
package status

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pidgeon/dovecot/master"
	"pidgeon/settings"
	"pidgeon/sizing"
	"pidgeon/userdb"
)

// Snapshot is the state of the entrypoint at one moment. Functions that return one must be
// safe for concurrent use.
type Snapshot struct {
	Document
	Ceilings []sizing.Ceiling
	Capacity sizing.Capacity
	Master   *master.Process // nil before Dovecot is started
	BaseDir  string          // Dovecot's base_dir
	// AnvilDied is when Dovecot last lost its counts of sessions.
	AnvilDied time.Time
	Live      json.RawMessage // candidate.Live, for `pidgeon check`
}

// Document is the answer to `pidgeon status --json`. This package fills in Usage, Uncounted
// and Container.
type Document struct {
	Version    string         `json:"version"`
	Dovecot    string         `json:"dovecot"`
	Ready      bool           `json:"ready"`    // Dovecot serves, and all its listeners greet
	Degraded   bool           `json:"degraded"` // the last change is not in force
	Generation string         `json:"generation"`
	Overrides  []string       `json:"overrides"`
	Carried    []string       `json:"carried_over,omitempty"` // from 2.3 to 2.4: overrides that are used in other words
	Refused    []string       `json:"refused,omitempty"`      // why the last change is not in force
	Listeners  map[string]int `json:"listeners"`              // ports, by the name of the listener
	Since      time.Time      `json:"since,omitzero"`
	// Silent names listeners and processes that may turn clients away, and why.
	Silent map[string]string `json:"silent,omitempty"`

	CertificateExpires time.Time `json:"certificate_expires,omitzero"` // zero with TLS=no
	// SNIExpires is when those of TLS_SNI_DIR expire, by their names.
	SNIExpires map[string]time.Time `json:"sni_expires,omitempty"`
	Reloads    Reloads              `json:"reloads"`
	Started    time.Time            `json:"started,omitzero"`     // pidgeon
	LastReload time.Time            `json:"last_reload,omitzero"` // or start
	Usage      []Usage              `json:"sessions,omitempty"`   // counted at each request
	Uncounted  string               `json:"uncounted,omitempty"`  // why they could not be counted
	Container  Container            `json:"container,omitzero"`
	Mail       Volume               `json:"mail,omitzero"`

	Databases []userdb.Database `json:"databases,omitempty"` // of AUTH, probed by the process that asks
	OwnUsers  bool              `json:"own_users,omitempty"` // USERS has users, who can log in without them
	Lookups   string            `json:"lookups,omitempty"`   // the socket where Dovecot looks users up

	Foreign *ForeignRefusals `json:"foreign,omitempty"` // at a backend, counted at each request
	Events  map[string]int   `json:"events,omitempty"`  // by the names of metrics in Dovecot
	Stats   string           `json:"stats,omitempty"`   // the socket of Dovecot's stats process

	Settings []settings.Setting `json:"settings,omitempty"` // that differ from the default
}

// Reloads are numbers of changes that Dovecot has loaded, and that were refused.
type Reloads struct {
	Loaded  int `json:"loaded"`
	Refused int `json:"refused"`
}

// Container is the capacity of the container.
type Container struct {
	Limit int    `json:"limit"`
	By    string `json:"limited_by"`
}

// Unhealthy is an error if Dovecot does not serve. It connects to no listener, because a
// probe would take a connection from a client, and fail when all are taken.
func (d Document) Unhealthy() error {
	if len(d.Silent) > 0 {
		var reasons []string
		for _, name := range slices.Sorted(maps.Keys(d.Silent)) {
			reasons = append(reasons, name+": "+d.Silent[name])
		}
		return errors.New(strings.Join(reasons, "; "))
	}
	if !d.Ready {
		return errors.New("not ready: " + cmp.Or(strings.Join(d.Refused, "; "), "Dovecot does not serve yet"))
	}
	if refused := master.MissingListeners(d.Listeners); refused != nil {
		return refused
	}
	return nil
}

// Unready is an error if Unhealthy is one, or if no user can log in.
func (d Document) Unready() error {
	if err := d.Unhealthy(); err != nil {
		return err
	}
	return d.ProbeDatabases(context.Background()).AllDatabasesDown()
}

func (s Snapshot) document() Document {
	s.Container = Container{s.Capacity.Sessions, s.Capacity.By}
	if len(s.Databases) > 0 {
		s.Lookups = filepath.Join(s.BaseDir, "auth-userdb")
	}
	if s.BaseDir != "" {
		s.Stats = filepath.Join(s.BaseDir, "stats-reader")
	}
	return s.Document
}
