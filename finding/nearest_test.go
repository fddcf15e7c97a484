package finding

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"mail_home", "mail_path", "mail_homes", "größe", "ssl"}
	for _, tt := range []struct {
		name string
		most int
		want []string
	}{
		{"mail_home", 2, []string{"mail_home"}},
		{"mail_hme", 2, []string{"mail_home"}},
		{"mail_homez", 2, []string{"mail_home", "mail_homes"}},
		{"mail_xxxx", 2, nil},
		{"grose", 2, []string{"größe"}},
		{"sl", 1, []string{"ssl"}},
		{strings.Repeat("a", 1<<24), 3, nil}, // compared letter by letter it would take minutes
	} {
		if got := Nearest(tt.name, known, tt.most); !slices.Equal(got, tt.want) {
			t.Errorf("%.20q: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
