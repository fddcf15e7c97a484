package dovecot

import (
	"slices"
	"testing"
)

func TestResolve(t *testing.T) {
	for _, dialect := range dialects {
		d := installed(t, dialect, t.TempDir())
		if got, err := d.Resolve(t.Context(), "127.1"); err != nil || !slices.Equal(got, []string{"127.0.0.1"}) { // no file of names is needed
			t.Errorf("127.1: %v, %v", got, err)
		}
		for _, name := range []string{"999.1.1.1", "-", "no such"} {
			if got, err := d.Resolve(t.Context(), name); err == nil {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}
