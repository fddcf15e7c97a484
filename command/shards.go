package command

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"pidgeon/candidate"
	"pidgeon/publish"
	"pidgeon/render"
	"pidgeon/settings"
	"pidgeon/shard"
)

// planShards prints which backend would have how many shards, and which of them have to
// move there from where they are in the proxy that runs; of a user who is named, the shard.
func (c Call) planShards(user string) error {
	s, err := settings.Load(c.Environ)
	if err != nil {
		return err
	}
	if !s.Proxy() {
		return failure{ExitConfig, "pidgeon: ROLE is server, which has all mail itself: set ROLE=proxy and BACKENDS"}
	}
	s, _, found := candidate.LookUpBackends(s, liveOf(context.Background(), s).Backends)
	if len(found.Faults()) > 0 {
		return found.Faults()
	}
	asked := s.Shards()
	if user != "" {
		fmt.Fprintf(c.Stdout, "%s is in shard %s, which is that of %s.\n", user, shard.Name(shard.Of(user)), asked[shard.Of(user)])
	}
	published, _ := os.ReadFile(filepath.Join(publish.Current(string(s.RunDir)), render.ShardsFile))
	runs, ok := shard.Parse(string(published))
	if !ok {
		runs = asked // nothing runs, and so nothing moves
	}
	moves := runs.Moves(asked)
	c.printShards(runs, asked, moves)
	moved := 0
	for _, shards := range moves {
		moved += len(shards)
	}
	fmt.Fprintf(c.Stdout, "%d of %d shards move.\n", moved, shard.Count)
	for _, m := range slices.SortedFunc(maps.Keys(moves), func(a, b shard.Move) int {
		return strings.Compare(a.From+" "+a.To, b.From+" "+b.To)
	}) {
		fmt.Fprintf(c.Stdout, "%s to %s: %s\n", m.From, m.To, strings.Join(moves[m], " "))
	}
	return nil
}

func (c Call) printShards(runs, asked shard.Table, moves map[shard.Move][]string) {
	has, gets, gives := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range asked {
		has[asked[i]]++
		has[runs[i]] += 0
	}
	for m, shards := range moves {
		gets[m.To] += len(shards)
		gives[m.From] += len(shards)
	}
	table := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintln(table, "shards\tgets\tgives\tbackend\t")
	for _, backend := range slices.Sorted(maps.Keys(has)) {
		fmt.Fprintf(table, "%d\t%d\t%d\t%s\t\n", has[backend], gets[backend], gives[backend], backend)
	}
}
