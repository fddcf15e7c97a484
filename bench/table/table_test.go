package table

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		samples []float64
		want    float64
	}{
		{nil, 0},
		{[]float64{4}, 4},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
	}
	for _, tt := range tests {
		if got := Median(tt.samples); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.samples, got, tt.want)
		}
	}
}

// Sorting in place would mix up the rounds.
func TestMedianLeavesSamples(t *testing.T) {
	samples := []float64{3, 1, 2}
	Median(samples)
	if samples[0] != 3 {
		t.Errorf("now %v", samples)
	}
}

func TestPrint(t *testing.T) {
	stock, ours, absent, silent := &Row{Name: "stock"}, &Row{Name: "ours"}, &Row{Name: "absent", Note: "cannot be had"}, &Row{Name: "silent"}
	for i := range 3 {
		stock.Add(100+float64(i), 1)
		ours.Add(707+float64(i*7), 0.5)
	}
	var b strings.Builder
	Print(&b, []Column{{"logins/s", 0, true}, {"p50 ms", 1, false}}, []*Row{stock, ours, absent, silent})
	want := `
|        |      logins/s | ratio | p50 ms |
| ------ | ------------: | ----: | -----: |
| stock  | 101 (100–102) |  1.00 |    1.0 |
| ours   | 714 (707–721) |  7.07 |    0.5 |
| absent | cannot be had |     – |      – |
| silent |             – |     – |      – |
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestRatioToNothing(t *testing.T) {
	first, second := &Row{Name: "first"}, &Row{Name: "second"}
	first.Add(0)
	second.Add(3)
	var b strings.Builder
	Print(&b, []Column{{"switches", 0, true}}, []*Row{first, second})
	if strings.Contains(b.String(), "Inf") || strings.Contains(b.String(), "NaN") {
		t.Error(b.String())
	}
}
