package sizing_test

import (
	"testing"

	"pidgeon/sizing"
)

func reusing(n int, mode sizing.Mode) []sizing.Protocol {
	protocols := everything(n, mode)
	for i := range protocols {
		protocols[i].Reuse = true
	}
	return protocols
}

// As many clients share a process as the memory asks for, and no more.
func TestShare(t *testing.T) {
	for _, dialect := range []string{"2.3", "2.4"} {
		cost := sizing.Costs(dialect)
		need := func(protocols []sizing.Protocol) int { return sizing.NeedOf(protocols, roomy, cost).MemoryKiB }
		ask := reusing(1000, sizing.Performance)
		apart := need(ask)
		last := 1
		for have := apart; have > apart/2; have -= apart / 50 {
			shared := sizing.Share(ask, roomy, cost, have)
			share := shared[0].Share
			if share < last || share > 10 {
				t.Fatalf("%s: %d clients share with %d KiB, and %d with more", dialect, share, have, last)
			}
			if share < 10 && need(shared) > have {
				t.Errorf("%s: %d clients share, which takes %d of %d KiB", dialect, share, need(shared), have)
			}
			if shared[0].Share--; share > 1 && need(shared) <= have {
				t.Errorf("%s: %d clients share, and %d are enough for %d KiB", dialect, share, share-1, have)
			}
			shared[0].Share = share
			checkRules(t, sizing.Size(shared, roomy), shared)
			last = share
		}
		if last < 3 {
			t.Errorf("%s: at most %d clients share with half of the memory", dialect, last)
		}
	}
}

func TestShareNot(t *testing.T) {
	tests := []struct {
		name string
		ask  []sizing.Protocol
		have int
	}{
		{"without limit", reusing(1000, sizing.Performance), 0},
		{"enough", reusing(10, sizing.Performance), 1 << 30},
		{"secure", reusing(1000, sizing.Secure), 1 << 10},
		{"mail of several system users", everything(1000, sizing.Performance), 1 << 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range sizing.Share(tt.ask, roomy, sizing.Costs("2.4"), tt.have) {
				if p.Share > 1 {
					t.Errorf("%d clients of %s share a process", p.Share, p.Name)
				}
			}
		})
	}
}
