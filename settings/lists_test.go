package settings_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pidgeon/settings"
)

// PID 1 reads these lists: whatever is in them costs it little, and what is wrong is told in
// few words.
func TestLongLists(t *testing.T) {
	const many = 100_000
	lines := func(n int, format string) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, format+"\n", i)
		}
		return text.String()
	}
	long := strings.Repeat("!", 1<<20)
	for _, tt := range []struct {
		name string
		into interface{ UnmarshalText([]byte) error }
		text string
		want string
	}{
		{"placements", new(settings.Placements), lines(many, "u%d=h"), ""},
		{"users", new(settings.Users), lines(many, "u%d:{PLAIN}x"), ""},
		{"wrong placements", new(settings.Placements), strings.Repeat("x\n", many), "entry 10 is neither user=host nor shard:63=host; so are 99990 more"},
		{"wrong users", new(settings.Users), strings.Repeat("x\n", many), "entry 10 has no colon between name and password (a password with a comma needs one user per line); so are 99990 more"},
		{"a long name", new(settings.Users), long + ":x\n", "letters, digits and ._@- are allowed"},
		{"a long name of a placement", new(settings.Placements), "u" + strings.Repeat("x", 1<<20) + "=!\n", `xxx"`},
		{"a name twice", new(settings.Placements), "a=h\nb=h\nA=i\n", `entry 3 names "a" twice`},
	} {
		err := tt.into.UnmarshalText([]byte(tt.text))
		if (err == nil) != (tt.want == "") || err != nil && (len(err.Error()) > 2000 || !strings.HasSuffix(err.Error(), tt.want)) {
			t.Errorf("%s: %.300s", tt.name, fmt.Sprint(err))
		}
	}
	// Ten times as many cost a hundred times as much where each is compared with all.
	for name, cost := range map[string]func(n int) time.Duration{
		"placements": func(n int) time.Duration {
			return processorTime(t, new(settings.Placements), lines(n, "u%d=h"))
		},
		"users": func(n int) time.Duration {
			return processorTime(t, new(settings.Users), lines(n, "u%d:{PLAIN}x"))
		},
	} {
		if few, all := cost(many/10), cost(many); all > 40*max(few, time.Millisecond) { // which the kernel may count as none
			t.Errorf("%s: %v for %d, %v for %d", name, few, many/10, all, many)
		}
	}
}

// processorTime is what reading a list takes of the thread that does it.
func processorTime(t *testing.T, into interface{ UnmarshalText([]byte) error }, text string) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Rusage
	err := errors.Join(unix.Getrusage(unix.RUSAGE_THREAD, &before), into.UnmarshalText([]byte(text)), unix.Getrusage(unix.RUSAGE_THREAD, &after))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(after.Utime.Nano()+after.Stime.Nano()) - time.Duration(before.Utime.Nano()+before.Stime.Nano())
}
