package status

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"pidgeon/userdb"
)

// databasePatience bounds a probe of the databases: half of it is left for the lookup, which
// is of the other databases too.
const databasePatience = 2 * userdb.Patience

// ProbeDatabases returns the document with the state of its databases. It asks Dovecot for a
// user that does not exist, unless a server is down, because auth of 2.4.1 ends with signal
// 11 while it waits for LDAP.
func (d Document) ProbeDatabases(ctx context.Context) Document {
	if len(d.Databases) == 0 || d.Generation == "" {
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	all := slices.Clone(d.Databases)
	var probes sync.WaitGroup
	for i := range all {
		probes.Go(func() {
			if err := all[i].Probe(ctx); err != nil {
				all[i].Down = err.Error()
			}
		})
	}
	probes.Wait()
	d.Databases = all
	if slices.ContainsFunc(all, func(database userdb.Database) bool { return database.Down != "" && database.Name != "oauth2" }) {
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
