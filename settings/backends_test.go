package settings_test

import (
	"testing"

	"pidgeon/settings"
)

// TestWithPlacement writes a line only where the name does not say the same, or a database
// could say something else: without the line mail that was moved would be asked for where it
// was before.
func TestWithPlacement(t *testing.T) {
	for _, tt := range []struct {
		query, name string
		want        bool
	}{
		{"", "alice", false},
		{"", "shard:63", false},
		{"SELECT host", "alice", true},
		{"SELECT host", "shard:63", false},
	} {
		s := load(t, "BACKENDS=a,b", "BACKEND_NAME=a", "SQL_DATABASE=a", "SQL_BACKEND_QUERY="+tt.query)
		home := s.PlacementOf(tt.name)
		want := "\n"
		if tt.want {
			want = home.String() + "\n"
		}
		if got := s.WithPlacement(tt.name+"=c", home); got != want {
			t.Errorf("%s with %q: %q, not %q", tt.name, tt.query, got, want)
		}
		elsewhere := settings.Placement{Name: tt.name, Host: "c"}
		if got := s.WithPlacement("", elsewhere); got != elsewhere.String()+"\n" {
			t.Errorf("%s elsewhere with %q: %q", tt.name, tt.query, got)
		}
	}
}
