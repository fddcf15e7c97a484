package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pidgeon/settings"
	"pidgeon/status"
)

// healthPatience is less than Docker's and Kubernetes' own timeouts.
const healthPatience = 4 * time.Second

// Status prints what the running entrypoint tells of itself.
func Status(c Call) int {
	flags := c.flags()
	asJSON := flags.Bool("json", false, "")
	if code, ok := c.parse(flags, false); !ok {
		return code
	}
	now, code := c.ask(status.AskSessions, "error:")
	switch {
	case code != 0:
	case *asJSON:
		_ = writeJSON(c.Stdout, now)
	default:
		c.printStatus(now)
	}
	return code
}

// ask asks the running entrypoint.
func (c Call) ask(request func(context.Context, string) (status.Document, error), failed string) (now status.Document, code int) {
	s, err := settings.Load(c.Environ)
	if err != nil {
		return now, c.complain(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	if now, err = request(ctx, string(s.RunDir)); err != nil {
		fmt.Fprintln(c.Stderr, failed, err)
		return now, 1
	}
	return now, 0
}

func (c Call) printStatus(now status.Document) {
	table := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	row := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	row("pidgeon", now.Version)
	row("Dovecot", now.Dovecot)
	row("ready", now.Ready)
	row("generation", fmt.Sprintf("%s since %s", now.Generation, now.Since.Format(time.RFC3339)))
	row("overrides", strings.Join(now.Overrides, " "))
	for _, name := range slices.Sorted(maps.Keys(now.Listeners)) {
		row("listener", fmt.Sprintf("%s on port %d", name, now.Listeners[name]))
	}
	for _, u := range now.Usage {
		row("sessions", u)
	}
	if now.Uncounted != "" {
		row("uncounted", now.Uncounted)
	}
	if now.Container.Limit > 0 {
		row("container", fmt.Sprintf("has room for %d sessions (%s)", now.Container.Limit, now.Container.By))
	}
	if !now.CertificateExpires.IsZero() {
		row("certificate", "expires "+now.CertificateExpires.Format(time.DateOnly))
	}
	row("degraded", now.Degraded)
	for _, reason := range now.Refused {
		row("refused", reason)
	}
}

// Health tells whether the running entrypoint serves or, with --live, is there at all.
func Health(c Call) int {
	flags := c.flags()
	live := flags.Bool("live", false, "")
	flags.Bool("ready", true, "")
	if code, ok := c.parse(flags, false); !ok {
		return code
	}
	now, code := c.ask(status.Ask, "unhealthy:")
	if code != 0 {
		return code
	}
	if err := now.Unhealthy(); err != nil && !*live {
		fmt.Fprintln(c.Stderr, "unhealthy:", err)
		return 1
	}
	fmt.Fprintf(c.Stdout, "healthy: generation %s, degraded: %t\n", now.Generation, now.Degraded)
	return 0
}
