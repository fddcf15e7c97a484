package command

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"pidgeon/candidate"
	"pidgeon/container"
	"pidgeon/sizing"
)

// Plan prints what the sessions asked for take in each mode, and what this
// container holds of those that the configuration lets in.
func Plan(c Call) int {
	flags := c.flags()
	shards := flags.Bool("shards", false, "")
	user := flags.String("user", "", "")
	return c.run(flags, func() error {
		if *shards {
			return c.planShards(*user)
		}
		return c.judging((*judgement).plan)
	})
}

func (j *judgement) plan() error {
	in, err := j.Read(j.request.Live)
	if err != nil {
		return err
	}
	v, err := j.verdict()
	if err != nil {
		return err
	}
	asked := in.Settings.Demand()
	if in.Settings.HasOperatorConfig() { // whose own limits count
		asked = v.Demand
	}
	j.printModes(in, asked)
	held := slices.Clone(v.Demand)
	if refusalOf(v) != nil {
		fmt.Fprintln(j.Stdout, "The configuration is refused, see pidgeon check; without overrides:")
		held, v.Ceilings = j.Demand(in, asked), nil
	}
	for i, now := range v.Ceilings {
		if now.By != sizing.Configuration {
			continue
		}
		if now.Limit != held[i].Sessions {
			fmt.Fprintf(j.Stdout, "The configuration makes room for %d sessions of %s; %d were asked for.\n", now.Limit, now.Protocol, held[i].Sessions)
		}
		held[i] = held[i].WithSessions(now.Limit)
	}
	for _, r := range j.Facts.Remarks(held, j.Dovecot.Dialect) {
		fmt.Fprintln(j.Stdout, r.Sentence)
	}
	return nil
}

func (j *judgement) printModes(in candidate.Sources, asked []sizing.Protocol) {
	table := tabwriter.NewWriter(j.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintln(table, "mode\tsessions\tprocesses\topen files\tmemory MiB\tholds\tlimited by\t")
	for _, mode := range []sizing.Mode{sizing.Secure, sizing.Performance} {
		demand := slices.Clone(asked)
		for i := range demand {
			demand[i].Mode = mode
		}
		fitted, room := j.Demand(in, demand), j.Facts.Budget(j.Dovecot.Dialect)
		need, holds, by := room.Need(sizing.Requested(fitted)), room.Need(fitted).Sessions, "-"
		if lowest := room.Bottlenecks(fitted); len(lowest) > 0 {
			by = lowest[0].Limit + " " + container.Amount(lowest[0], lowest[0].Have)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n", mode, need.Sessions, need.Processes, need.Files, need.MemoryKiB>>10, holds, by)
	}
}
