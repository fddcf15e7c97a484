package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pidgeon/settings"
)

// status prints what the running entrypoint tells about itself.
func (c command) status() int {
	asJSON := slices.Equal(c.args, []string{"--json"})
	if len(c.args) > 0 && !asJSON {
		return c.usage("status takes --json alone")
	}
	s, faults := settings.Load(c.environ)
	if faults != nil {
		return c.complain(faults)
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	now, err := ask(ctx, string(s.RunDir), theSessions)
	if err != nil {
		fmt.Fprintln(c.stderr, "error:", err)
		return 1
	}
	if asJSON {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(now)
		return 0
	}
	c.printState(now)
	return 0
}

func (c command) printState(now state) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
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
	if now.Room.Sessions > 0 {
		row("container", fmt.Sprintf("has room for %d sessions (%s)", now.Room.Sessions, now.Room.By))
	}
	if !now.CertificateExpires.IsZero() {
		row("certificate", "expires "+now.CertificateExpires.Format(time.DateOnly))
	}
	row("degraded", now.Degraded)
	for _, reason := range now.Refused {
		row("refused", reason)
	}
}

// healthPatience is less than Docker's and Kubernetes' own timeouts.
const healthPatience = 4 * time.Second

// health asks the running entrypoint.
func (c command) health() int {
	live := slices.Equal(c.args, []string{"--live"})
	if ready := slices.Equal(c.args, []string{"--ready"}); len(c.args) > 0 && !live && !ready {
		return c.usage("health takes --live, or --ready, which it is without")
	}
	s, faults := settings.Load(c.environ)
	if faults != nil {
		return c.complain(faults)
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	now, err := ask(ctx, string(s.RunDir), theState)
	if err == nil && !live {
		err = now.unhealthy()
	}
	if err != nil {
		fmt.Fprintln(c.stderr, "unhealthy:", err)
		return 1
	}
	fmt.Fprintf(c.stdout, "healthy: generation %s, degraded: %t\n", now.Generation, now.Degraded)
	return 0
}
