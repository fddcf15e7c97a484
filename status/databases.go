package status

import (
	"bufio"
	"context"
	"errors"
	"fmt"
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

// Databases are the databases of AUTH that may be down. SQL has no servers here, because an
// SQL server counts a connection without a query as a fault; Dovecot asks it.
func Databases(s settings.Settings) (all []Database) {
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
			d.Introspection = &Introspection{filepath.Join(string(s.RunDir), "current", "oauth2.secret"), s.OAuth2IntrospectionMode, string(s.CAPath)}
		}
		all = append(all, d)
	}
	return all
}

// databasePatience bounds a probe of the databases. Dovecot itself waits a minute.
const databasePatience = 2 * time.Second

// ProbeDatabases returns the document with the state of its databases. It asks Dovecot for a
// user that does not exist, unless a server is down, because auth of 2.4.1 ends with signal
// 11 while it waits for LDAP.
func (d Document) ProbeDatabases(ctx context.Context) Document {
	if len(d.Databases) == 0 || d.Generation == "" {
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	all, there := append([]Database(nil), d.Databases...), true
	for i, database := range all {
		if err := database.probe(ctx); err != nil {
			all[i].Down, there = err.Error(), there && database.Name == "oauth2"
		}
	}
	d.Databases = all
	if !there {
		return d
	}
	if err := lookup(ctx, d.Lookups); err != nil {
		for i := range all {
			if all[i].Name != "oauth2" { // which looks up no users
				all[i].Down = err.Error()
			}
		}
	}
	return d
}

// probe leaves half of the time to the lookup, which is of the other databases too.
func (d Database) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, databasePatience/2)
	defer cancel()
	if err := reachable(ctx, d.Servers); err != nil || d.Introspection == nil {
		return err
	}
	return d.Introspection.try(ctx)
}

// AllDatabasesDown is an error with all reasons if no database of AUTH answers.
func (d Document) AllDatabasesDown() error {
	var reasons []string
	for _, database := range d.Databases {
		if database.Down == "" {
			return nil
		}
		reasons = append(reasons, database.Name+": "+database.Down)
	}
	if len(reasons) == 0 || d.OwnUsers {
		return nil
	}
	return errors.New("no user database answers: " + strings.Join(reasons, "; "))
}

var wellKnown = map[string]string{"ldap": "389", "ldaps": "636", "http": "80", "https": "443"}

func reachable(ctx context.Context, servers []string) (err error) {
	for _, server := range servers {
		u, _ := url.Parse(server)
		var conn net.Conn
		if conn, err = dialURL(ctx, u); err == nil {
			conn.Close()
			return nil
		}
	}
	return err
}

func dialURL(ctx context.Context, u *url.URL) (net.Conn, error) {
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

// lookup asks auth for a user over its master protocol (2.3.19, 2.4.1:
// auth-master-connection.c).
func lookup(ctx context.Context, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if _, err := fmt.Fprint(conn, "VERSION\t1\t1\nUSER\t1\tpidgeon-probe@probe.invalid\tservice=doveadm\n"); err != nil {
		return err
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		switch word, _, _ := strings.Cut(lines.Text(), "\t"); word {
		case "NOTFOUND", "USER":
			return nil
		case "FAIL":
			return errors.New("looking users up failed, Dovecot's log says why")
		}
	}
	return fmt.Errorf("no user was found within %v, Dovecot's log says why", databasePatience)
}
