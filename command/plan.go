package command

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"pidgeon/candidate"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// Plan prints what the sessions asked for take in each mode, and what this
// container holds of those that the configuration lets in.
func Plan(c Call) int {
	if code, ok := c.parse(c.flags(), false); !ok {
		return code
	}
	t, err := c.open()
	if err != nil {
		return c.complain(err)
	}
	defer t.close()
	in, err := t.Read(t.request.Live)
	if err != nil {
		return c.complain(err)
	}
	c.printModes(t, in)
	v, err := t.judge()
	if err != nil {
		return c.complain(err)
	}
	demand := t.Demand(in, in.Settings.Demand())
	if passed(v) == nil {
		demand = c.printOverridden(v)
	} else {
		fmt.Fprintln(c.Stdout, "The configuration is refused, see pidgeon check; without overrides:")
	}
	for _, r := range t.Facts.Remarks(demand, t.Dovecot.Dialect) {
		fmt.Fprintln(c.Stdout, r.Sentence)
	}
	return 0
}

func (c Call) printModes(t *trial, in candidate.Sources) {
	table := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintln(table, "mode\tsessions\tprocesses\topen files\tmemory MiB\tholds\tlimited by\t")
	for _, mode := range []sizing.Mode{sizing.Secure, sizing.Performance} {
		need := t.Facts.Need(t.Demand(in, inMode(in.Settings, mode)), t.Dovecot.Dialect)
		holds, by := need.Sessions, "-"
		if lowest := need.Bottlenecks(t.Facts.Allowed); len(lowest) > 0 {
			holds, by = lowest[0].Sessions, fmt.Sprintf("%s %d", lowest[0].Limit, lowest[0].Have)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n", mode, need.Sessions, need.Processes, need.Files, need.MemoryKiB>>10, holds, by)
	}
}

func inMode(s settings.Settings, mode sizing.Mode) []sizing.Protocol {
	demand := s.Demand()
	for i := range demand {
		demand[i].Mode = mode
	}
	return demand
}

// printOverridden names the protocols whose limits an override has changed, and
// returns what is to be held with it.
func (c Call) printOverridden(v candidate.Verdict) []sizing.Protocol {
	held := slices.Clone(v.Demand)
	for i, p := range held {
		if now := v.Ceilings[i]; now.By == sizing.Configuration {
			fmt.Fprintf(c.Stdout, "An override makes room for %d sessions of %s; %d were asked for.\n", now.Limit, p.Name, p.Sessions)
			held[i] = p.With(now.Limit)
		}
	}
	return held
}
