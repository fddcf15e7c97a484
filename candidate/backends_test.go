package candidate

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a name has answered with in each poll, and what it is taken for.
func TestBackendLookup(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers string // one a poll; ? is none
		want    string
	}{
		{"all at once", "a,b", "a,b"},
		{"one more", "a,b a,b,c", "a,b,c"},
		{"missing for a moment", "a,b a", "a,b"},
		{"and again and again", "a,b a a,b a a,b a a,b a", "a,b"},
		{"told in parts", "a,b b,c c,d d,a a,b b,c c,d", "a,b,c,d"},
		{"gone", "a,b a a a a", "a"},
		{"gone, and there again", "a,b a a a a a,b", "a,b"},
		{"one for another", "a,b a,c a,c a,c a,c", "a,c"},
		{"no answer", "a,b ? ? ? ? ? ?", "a,b"},
		{"and then one without it", "a,b ? ? ? ? ? a", "a,b"},
		{"never any", "? ?", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a BackendLookup
			now := time.Now()
			for answer := range strings.FieldsSeq(tt.answers) {
				if answer == "?" {
					a = a.merge("tasks.mail", nil, "has no address", now)
				} else {
					a = a.merge("tasks.mail", strings.Split(answer, ","), "", now)
				}
				now = now.Add(BackendsMaxAge)
			}
			if got := strings.Join(slices.Sorted(maps.Keys(a.Addresses)), ","); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if other := a.merge("other.mail", []string{"x"}, "", now); len(other.Addresses) != 1 {
				t.Errorf("another name has %v", other.Addresses)
			}
		})
	}
}
