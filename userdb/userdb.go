// Package userdb asks the servers of the user databases of AUTH whether they are there. It
// looks up no user, which only Dovecot can.
package userdb

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"pidgeon/settings"
)

// Database is a user database of AUTH. The process that asks probes it, because a database
// that hangs would block PID 1.
type Database struct {
	Name    string   `json:"name"`
	Servers []string `json:"servers,omitempty"` // one of which has to accept a connection
	Down    string   `json:"down,omitempty"`    // why it finds no user

	Introspection *Introspection `json:"introspection,omitempty"` // of oauth2
}

// Databases are the databases of AUTH that may be down, for the configuration in dir. SQL has
// no servers here, because an SQL server counts a connection without a query as a fault;
// Dovecot asks it.
func Databases(s settings.Settings, dir string) (all []Database) {
	for _, name := range s.Auth {
		d := Database{Name: name}
		switch name {
		case "users":
			continue
		case "ldap":
			d.Servers = strings.Fields(string(s.LDAPURI))
		case "oauth2":
			introspection, _ := url.Parse(string(s.OAuth2IntrospectionURL))
			d.Servers = []string{introspection.Scheme + "://" + introspection.Host} // without a password
			d.Introspection = &Introspection{filepath.Join(dir, "oauth2.secret"), s.OAuth2IntrospectionMode, string(s.CAPath)}
		}
		all = append(all, d)
	}
	return all
}

// Patience bounds a probe. Dovecot itself waits a minute.
const Patience = time.Second

// Probe is an error if no server of the database is there.
func (d Database) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := reachable(ctx, d.Servers); err != nil || d.Introspection == nil {
		return err
	}
	return d.Introspection.try(ctx)
}

// reachable is an error if none of the servers accepts a connection. One that is not there
// must not use up the time of the others.
func reachable(ctx context.Context, servers []string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error, len(servers)) // which nobody may wait for
	for _, server := range servers {
		go func() {
			u, _ := url.Parse(server)
			conn, err := dial(ctx, u)
			if err == nil {
				conn.Close()
			}
			answers <- err
		}()
	}
	for range servers {
		if err = <-answers; err == nil {
			return nil
		}
	}
	return err
}

var wellKnown = map[string]string{"ldap": "389", "ldaps": "636", "http": "80", "https": "443"}

func dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	network, address := "tcp", u.Host
	if port := u.Port(); port == "" {
		address = net.JoinHostPort(u.Hostname(), wellKnown[u.Scheme])
	}
	if u.Scheme == "ldapi" {
		network = "unix"
		address, _ = url.PathUnescape(u.Host)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if deadline, ok := ctx.Deadline(); ok && err == nil {
		conn.SetDeadline(deadline)
	}
	return conn, err
}
