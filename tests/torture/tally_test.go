package torture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tally sums up the lines of the table.
type tally struct {
	dialect                     string
	overrides, wrong            int
	outcomes                    map[string]int
	logins, lost, failed, flown int
}

func (t *tally) add(r result) {
	t.overrides++
	if r.verdict != "" {
		t.wrong++
	}
	t.outcomes[r.outcome]++
	t.logins += r.logins
	t.lost += r.lost
	t.failed += r.failed
	t.flown += r.flying
}

func (t tally) String() string {
	var outcomes []string
	for _, name := range slices.Sorted(maps.Keys(t.outcomes)) {
		outcomes = append(outcomes, fmt.Sprintf("%s %d", name, t.outcomes[name]))
	}
	return fmt.Sprintf("Dovecot %s: %d overrides (%s), %d wrong; %d sessions lost; %d logins, %d failed, and %d at a reload succeeded at the second attempt",
		t.dialect, t.overrides, strings.Join(outcomes, ", "), t.wrong, t.lost, t.logins, t.failed, t.flown)
}
