// Package status tells others what the entrypoint is: over a control socket to the
// commands and the exporter beside it, and in the log when sessions come near to a limit. It counts
// sessions and connections for both.
//
// It decides nothing. What is told comes as a Snapshot from the caller, who also
// prints what Ask returns; package sizing says what
// limits sessions, and package master knows how to ask Dovecot and the kernel.
package status

import (
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
)

// Snapshot is what the entrypoint is at one moment. The functions that give one are
// called from several goroutines at once.
type Snapshot struct {
	Document
	Ceilings []sizing.Ceiling
	Capacity sizing.Capacity
	Master   *master.Process // nil before Dovecot is started
	BaseDir  string          // Dovecot's base_dir
	Backend  bool            // it refuses users of others
	// AnvilDied is when Dovecot last lost what it knew of the sessions.
	AnvilDied time.Time
	Live      json.RawMessage // what `pidgeon check` beside it asks for, passed through
}

// Document is what the entrypoint tells about itself, as JSON. Usage, Uncounted and
// Container are filled in here.
type Document struct {
	Version    string         `json:"version"`
	Dovecot    string         `json:"dovecot"`
	Ready      bool           `json:"ready"`    // Dovecot serves, and all its listeners greet
	Degraded   bool           `json:"degraded"` // it serves something else than what was asked for last
	Generation string         `json:"generation"`
	Overrides  []string       `json:"overrides"`
	Carried    []string       `json:"carried_over,omitempty"` // from 2.3 to 2.4: overrides that are used in other words
	Refused    []string       `json:"refused,omitempty"`      // why the last change is not in force
	Listeners  map[string]int `json:"listeners"`              // ports, by the name of the listener
	Since      time.Time      `json:"since,omitzero"`
	// Silent is why it is not known of a listener, or a process, that clients get in.
	Silent map[string]string `json:"silent,omitempty"`

	CertificateExpires time.Time `json:"certificate_expires,omitzero"` // zero with TLS=no
	Reloads            Reloads   `json:"reloads"`
	LastReload         time.Time `json:"last_reload,omitzero"` // or start
	Usage              []Usage   `json:"sessions,omitempty"`   // as counted for whoever asks
	Uncounted          string    `json:"uncounted,omitempty"`  // why they could not be counted
	Container          Container `json:"container,omitzero"`
	Mail               Volume    `json:"mail,omitzero"`

	Databases []Database `json:"databases,omitempty"` // of AUTH, as probed by whoever asks
	OwnUsers  bool       `json:"own_users,omitempty"` // USERS has some beside them
	Lookups   string     `json:"lookups,omitempty"`   // the socket where Dovecot looks users up

	Foreign *ForeignRefusals `json:"foreign,omitempty"` // at a backend, as counted for whoever asks
	Stats   string           `json:"stats,omitempty"`   // the socket where Dovecot tells what it has counted

	Settings []settings.Setting `json:"settings,omitempty"` // that differ from the default
}

// Reloads are how many changes Dovecot loaded, and how many were not carried out.
type Reloads struct {
	Loaded  int `json:"loaded"`
	Refused int `json:"refused"`
}

// Container is the capacity of the container as it is told.
type Container struct {
	Limit int    `json:"limit"`
	By    string `json:"limited_by"`
}

// Unhealthy says why Dovecot does not serve. It connects to no listener, because a
// probe would take a connection from a user, and fail when all are taken.
func (d Document) Unhealthy() error {
	if len(d.Silent) > 0 {
		var reasons []string
		for _, name := range slices.Sorted(maps.Keys(d.Silent)) {
			reasons = append(reasons, name+": "+d.Silent[name])
		}
		return errors.New(strings.Join(reasons, "; "))
	}
	if !d.Ready {
		return errors.New("not ready: Dovecot does not serve yet")
	}
	if refused := master.MissingListeners(d.Listeners); refused != nil {
		return refused
	}
	return nil
}

// Unready says why nobody can log in: that is more than Unhealthy.
func (d Document) Unready() error {
	if err := d.Unhealthy(); err != nil {
		return err
	}
	return d.ProbeDatabases(context.Background()).AllDatabasesDown()
}

// document is what is told without counting.
func (s Snapshot) document() Document {
	s.Container = Container{s.Capacity.Sessions, s.Capacity.By}
	if len(s.Databases) > 0 {
		s.Lookups = filepath.Join(s.BaseDir, "auth-userdb")
	}
	if s.Backend {
		s.Stats = filepath.Join(s.BaseDir, "stats-reader")
	}
	return s.Document
}
