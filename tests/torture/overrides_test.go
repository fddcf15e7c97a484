package torture

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"testing"
)

var (
	whole = flag.Bool("whole", false, "play the whole corpus and print a table")
	only  = flag.String("only", "", "play the overrides, or the attacks, whose name matches")
)

const (
	idlers = 50
	// sample is how many overrides each dialect gets in a plain go test.
	sample = 13
)

// TestOverrides drops bad overrides on a running server, one after the other,
// while 50 users idle and one logs in every 100 ms.
func TestOverrides(t *testing.T) {
	all := corpus(t)
	onEach(t, func(t *testing.T, dialect, root string) {
		total := tally{dialect: dialect, outcomes: map[string]int{}}
		ring := &ring{t: t, server: newServer(t, dialect, root)}
		ring.server.Environ["CARRY_OVER"] = "no" // what is in the words of 2.3 is to be bad
		ring.open()
		defer ring.prober.end()
		for _, o := range selection(all, dialect) {
			r := ring.play(o)
			total.add(r)
			if *whole {
				fmt.Println(r)
			}
			if r.verdict != "" {
				t.Errorf("%s: %s", o.name, r)
			}
		}
		ring.close()
		fmt.Println(total)
	})
}

// selection is all that a dialect has to bear, or a sample that is the same in
// every run.
func selection(all []override, dialect string) []override {
	all = slices.DeleteFunc(slices.Clone(all), func(o override) bool { return o.want[dialect] == skipped })
	switch {
	case *only != "":
		pattern := regexp.MustCompile(*only)
		return slices.DeleteFunc(all, func(o override) bool { return !pattern.MatchString(o.name) })
	case *whole:
		return all
	}
	var some []override
	for i := range sample {
		some = append(some, all[i*len(all)/sample])
	}
	return some
}
