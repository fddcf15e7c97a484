package shard

import (
	"fmt"
	"slices"
	"testing"
)

func backends(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("mail-%d", i))
	}
	return names
}

func rows(t Table, name, fields string) (text string) {
	for n, host := range t {
		text += PasswdRow(Name(n), host, name, fields)
	}
	return text
}

// A backend more takes its share and nothing else moves; the order does not matter.
func TestAssign(t *testing.T) {
	for n := 1; n <= 12; n++ {
		before, after := Assign(backends(n)), Assign(backends(n+1))
		added := fmt.Sprintf("mail-%d", n)
		moved := 0
		for m, shards := range before.Moves(after) {
			moved += len(shards)
			if m.To != added {
				t.Errorf("%d backends and one more: %+v", n, m)
			}
		}
		if share := Count / (n + 1); moved < share/2 || moved > 2*share {
			t.Errorf("%d backends and one more: %d shards move, and its share is %d", n, moved, share)
		}
		for _, name := range []string{"", "tasks.mail"} {
			if read, ok := Parse(rows(after, name, "starttls=yes")); !ok || read != after {
				t.Errorf("%d backends of %q: read back as %v", n, name, read)
			}
		}
		reversed := backends(n)
		slices.Reverse(reversed)
		if Assign(reversed) != before {
			t.Errorf("%d backends: the order matters", n)
		}
		held := map[string]int{}
		for _, backend := range before {
			held[backend]++
		}
		if len(held) != n {
			t.Errorf("%d backends: %v", n, held)
		}
	}
	if Assign(nil) != (Table{}) {
		t.Error("no backend has something")
	}
}

// The table of a site must never change with a version of this program.
func TestAssignIsForEver(t *testing.T) {
	table := Assign([]string{"a", "b", "c"})
	got := ""
	for _, backend := range table[:32] {
		got += backend
	}
	if want := "cccccaaabccaaaababcaaccccabbccac"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseOther(t *testing.T) {
	rows := rows(Assign([]string{"a"}), "", "")
	for _, text := range []string{"", "users\n", rows[:len(rows)-30], rows + rows} {
		if _, ok := Parse(text); ok {
			t.Errorf("%.40q is read as a table", text)
		}
	}
}

func TestOf(t *testing.T) {
	for user, want := range map[string]string{"alice": "63", "ALICE": "63", "bob": "9f", "dave@example.org": "14"} {
		if got := Name(Of(user)); got != want {
			t.Errorf("%s is in shard %s, want %s", user, got, want)
		}
	}
}
