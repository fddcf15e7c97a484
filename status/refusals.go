package status

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// ForeignRefusals counts users of other backends that this one has refused since Dovecot's
// stats process began, which a reload replaces.
type ForeignRefusals struct {
	Logins     int `json:"logins"`
	Deliveries int `json:"deliveries"`
}

// Names of Dovecot's metrics in the templates.
const (
	foreignLogins     = "foreign_logins"
	foreignDeliveries = "foreign_deliveries"
)

// String is for people.
func (f ForeignRefusals) String() string {
	return fmt.Sprintf("%d logins and %d deliveries refused: of users who are another backend's", f.Logins, f.Deliveries)
}

// countedEvents returns the document with the counts of Dovecot's stats process, which are of
// events since the last reload, read over the protocol of `doveadm stats dump` (2.3.19, 2.4.1: doveadm-stats.c).
func (d Document) countedEvents(ctx context.Context) Document {
	if d.Stats == "" {
		return d
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", d.Stats)
	if err != nil {
		return d
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprint(conn, "VERSION\tstats-reader-client\t2\t0\nDUMP\tcount\n"); err != nil {
		return d
	}
	var found ForeignRefusals
	events := map[string]int{}
	for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != ""; {
		name, value, _ := strings.Cut(lines.Text(), "\t")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil:
		case name == foreignLogins:
			found.Logins, d.Foreign = n, &found
		case name == foreignDeliveries:
			found.Deliveries, d.Foreign = n, &found
		default:
			events[name], d.Events = n, events
		}
	}
	return d
}
