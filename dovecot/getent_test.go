package dovecot_test

import (
	"slices"
	"testing"

	"pidgeon/tests/dovecottest"
)

func TestResolve(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		d := dovecottest.Installed(t, dialect, t.TempDir())
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

func TestLacks(t *testing.T) {
	for _, dialect := range dovecottest.Dialects {
		d := dovecottest.Installed(t, dialect, t.TempDir())
		for name, lacks := range map[string]bool{"root": false, "nosuch": true} {
			if got := d.LacksEntry(t.Context(), "passwd", name); got != lacks {
				t.Errorf("%s: lacks %s: %t", dialect, name, got)
			}
		}
	}
}
