package status

import (
	"fmt"
	"slices"
	"testing"
)

func TestAlarms(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int
		used  []int
		want  []string // level at use
	}{
		{"empty", 1000, []int{0, 799}, nil},
		{"each level once", 1000, []int{799, 800, 801, 949, 950, 1030}, []string{"80 at 800", "95 at 950"}},
		{"both at once", 1000, []int{0, 2000}, []string{"95 at 2000"}},
		{"to and fro", 1000, []int{800, 790, 800, 701, 800}, []string{"80 at 800"}},
		{"fallen and risen", 1000, []int{800, 699, 800}, []string{"80 at 800", "80 at 800"}},
		{"from the top to and fro", 1000, []int{950, 940, 950, 851, 960}, []string{"95 at 950"}},
		{"from the top and back", 1000, []int{950, 849, 950}, []string{"95 at 950", "95 at 950"}},
		{"a little down is no news", 1000, []int{950, 849, 900}, []string{"95 at 950"}},
		{"all gone, and back", 1000, []int{950, 0, 800, 950}, []string{"95 at 950", "80 at 800", "95 at 950"}},
		{"ten", 10, []int{7, 8, 9, 10}, []string{"80 at 8", "95 at 10"}},
		{"one", 1, []int{0, 1, 0, 1}, []string{"95 at 1", "95 at 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			told := warnings{}
			var got []string
			for _, used := range tt.used {
				if reached, news := told.rose(gauge{protocol: "imap", used: used, limit: tt.limit}); news {
					got = append(got, fmt.Sprintf("%d at %d", levels[reached-1], used))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		})
	}
}

// One session more than there are until the next level reaches it, and one less does
// not.
func TestUntilNext(t *testing.T) {
	for _, limit := range []int{1, 2, 7, 10, 99, 100, 1000, 12345} {
		for told, next := range levels {
			for used := 0; used <= limit; used++ {
				g := gauge{protocol: "imap", used: used, limit: limit}
				if g.percent() >= next {
					continue
				}
				n := warnings{"imap": told}.untilNext([]gauge{g})
				at, before := gauge{used: used + n, limit: limit}, gauge{used: used + n - 1, limit: limit}
				if n == 0 || at.percent() < next || before.percent() >= next {
					t.Fatalf("%d of %d, told %d: %d until the next", used, limit, told, n)
				}
			}
		}
		if n := (warnings{"imap": len(levels)}).untilNext([]gauge{{protocol: "imap", used: limit, limit: limit}}); n != 0 {
			t.Errorf("limit %d: all is told, and %d are left until the next", limit, n)
		}
	}
	if n := (warnings{}).untilNext([]gauge{{"imap", 5, 100, 0, ""}, {"pop3", 9, 12, 0, ""}}); n != 1 {
		t.Errorf("%d until the next of two, want 1", n)
	}
}
