package settings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pidgeon/settings"
)

// PID 1 reads these lists: whatever is in them costs it little, and what is wrong is told in
// few words.
func TestLongLists(t *testing.T) {
	const many = 100_000
	var placed, users strings.Builder
	for i := range many {
		fmt.Fprintf(&placed, "u%d=h%d\n", i, i%3)
		fmt.Fprintf(&users, "u%d:{PLAIN}x\n", i)
	}
	wrong, long := strings.Repeat("x\n", many), strings.Repeat("!", 1<<20)
	for _, tt := range []struct {
		name string
		into interface{ UnmarshalText([]byte) error }
		text string
		want string
	}{
		{"placements", new(settings.Placements), placed.String(), ""},
		{"users", new(settings.Users), users.String(), ""},
		{"wrong placements", new(settings.Placements), wrong, "entry 10 is neither user=host nor shard:63=host; so are 99990 more"},
		{"wrong users", new(settings.Users), wrong, "entry 10 has no colon between name and password (a password with a comma needs one user per line); so are 99990 more"},
		{"a long name", new(settings.Users), long + ":x\n", "letters, digits and ._@- are allowed"},
		{"a long name of a placement", new(settings.Placements), "u" + strings.Repeat("x", 1<<20) + "=!\n", `xxx"`},
		{"a name twice", new(settings.Placements), "a=h\nb=h\nA=i\n", `entry 3 names "a" twice`},
	} {
		from := time.Now()
		err := tt.into.UnmarshalText([]byte(tt.text))
		if (err == nil) != (tt.want == "") || err != nil && (len(err.Error()) > 2000 || !strings.HasSuffix(err.Error(), tt.want)) {
			t.Errorf("%s: %.300s", tt.name, fmt.Sprint(err))
		}
		if d := time.Since(from); d > 5*time.Second { // 0.3 s at rest; 100,000 took 33 s where each was compared with all
			t.Errorf("%s: %v", tt.name, d)
		}
	}
}
