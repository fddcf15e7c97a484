package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"pidgeon/occupancy"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// plan prints what the sessions asked for take in each mode, and what this
// container holds of those that the configuration lets in.
func (c command) plan() int {
	if len(c.args) > 0 {
		return c.usage("plan takes no arguments")
	}
	w, err := c.workshop()
	if err != nil {
		return c.complain(err)
	}
	defer w.closing.close()
	in, err := w.read(context.Background())
	if err != nil {
		return c.complain(err)
	}
	c.printModes(w.builder, in)
	candidate, err := w.everything(context.Background())
	protocols := w.asked(in)
	if err == nil {
		protocols = c.printOverridden(candidate)
	} else {
		fmt.Fprintln(c.stdout, "The configuration is refused, see pidgeon check; without overrides:")
	}
	c.printWalls(w.builder, protocols)
	return 0
}

func (c command) printModes(b builder, in sources) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintln(table, "mode\tsessions\tprocesses\topen files\tmemory MiB\tholds\tlimited by\t")
	for _, mode := range []sizing.Mode{sizing.Secure, sizing.Performance} {
		need := b.need(b.arranged(in, inMode(in.settings, mode)))
		holds, by := need.Sessions, "-"
		if walls := need.Walls(b.allowed); len(walls) > 0 {
			holds, by = walls[0].Sessions, fmt.Sprintf("%s %d", walls[0].Limit, walls[0].Have)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n", mode, need.Sessions, need.Processes, need.Files, need.MemoryKiB>>10, holds, by)
	}
}

func inMode(s settings.Settings, mode sizing.Mode) []sizing.Protocol {
	ask := s.Ask()
	for i := range ask {
		ask[i].Mode = mode
	}
	return ask
}

// printOverridden names the protocols whose limits an override has changed, and
// returns what is to be held with it.
func (c command) printOverridden(of candidate) []sizing.Protocol {
	held := slices.Clone(of.asked)
	for i, p := range held {
		if now := inForce(of, p); now.By == occupancy.Configuration {
			fmt.Fprintf(c.stdout, "An override makes room for %d sessions of %s; %d were asked for.\n", now.Limit, p.Name, p.Sessions)
			held[i] = p.With(now.Limit)
		}
	}
	return held
}

func (c command) printWalls(b builder, protocols []sizing.Protocol) {
	need := b.need(protocols)
	walls := need.Walls(b.allowed)
	for _, w := range walls {
		fmt.Fprintf(c.stdout, "As it is set: only %d of %d sessions: %s is %d, and %d are needed. Raise it: %s\n", w.Sessions, need.Sessions, w.Limit, w.Have, w.Need, cure(w)+orElse(protocols))
	}
	if len(walls) == 0 {
		fmt.Fprintf(c.stdout, "As it is set: this container holds %d sessions.\n", need.Sessions)
	}
	if share := shared(protocols); share > 1 {
		fmt.Fprintf(c.stdout, "To make do with the memory, %d clients share a session process: %s.\n", share, sharing)
	}
	if need.Deaf(b.allowed) {
		fmt.Fprintf(c.stdout, "Only %d of %d inotify instances for clients that wait with IDLE: %s. Raise it %s\n", b.allowed.Inotify, need.Inotify, deafness, cureDeafness(need))
	}
}
