package occupancy

import (
	"encoding/json"
	"slices"
	"testing"
)

func counted(n int) *int { return &n }

func TestGauges(t *testing.T) {
	imap, sieve := Ceiling{"imap", 100, 112, "IMAP_CONCURRENCY", nil, "ask"}, Ceiling{"sieve", 44, 44, "pids.max", nil, "grow"}
	for _, tt := range []struct {
		name  string
		usage []Usage
		room  Room
		want  []Gauge
	}{
		{"logged in or not", []Usage{{imap, counted(90), 0, counted(95)}}, Room{}, []Gauge{{Name: "imap", Used: 95, Limit: 100, Places: 112, Cure: "ask"}}},
		{"over a Unix socket", []Usage{{imap, counted(90), 0, counted(85)}}, Room{}, []Gauge{{Name: "imap", Used: 90, Limit: 100, Places: 112, Cure: "ask"}}},
		{"no anvil", []Usage{{imap, nil, 0, counted(85)}}, Room{}, []Gauge{{Name: "imap", Used: 85, Limit: 100, Places: 112, Cure: "ask"}}},
		{"no /proc/net", []Usage{{imap, counted(90), 5, nil}}, Room{}, []Gauge{{Name: "imap", Used: 85, Limit: 100, Places: 112, Cure: "ask"}}},
		{"nothing known", []Usage{{imap, nil, 0, nil}}, Room{200, "pids.max", "grow"}, nil},
		{
			"older ones count for the container alone",
			[]Usage{{imap, counted(90), 60, counted(95)}},
			Room{200, "pids.max", "grow"},
			[]Gauge{{Name: "imap", Used: 35, Limit: 100, Places: 112, Cure: "ask"}, {Name: Container, Used: 95, Limit: 200, Cure: "grow"}},
		},
		{
			"the container is the limit",
			[]Usage{{imap, counted(30), 0, counted(30)}, {sieve, counted(10), 0, counted(10)}},
			Room{44, "pids.max", "grow"},
			[]Gauge{{Name: "imap", Used: 30, Limit: 100, Places: 112, Cure: "ask"}, {Name: Container, Used: 40, Limit: 44, Cure: "grow"}},
		},
	} {
		if got := Gauges(tt.usage, tt.room); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestUsageInWords(t *testing.T) {
	asked := Ceiling{"imap", 1000, 1030, "IMAP_CONCURRENCY", nil, ""}
	for _, tt := range []struct {
		usage Usage
		want  string
	}{
		{Usage{asked, counted(812), 0, counted(812)}, "imap: 812 of 1000 (1030 with headroom)"},
		{Usage{asked, counted(0), 0, counted(3)}, "imap: 0 of 1000 (1030 with headroom); 3 more not logged in"},
		{Usage{asked, nil, 0, counted(3)}, "imap: at most 3 of 1000 (1030 with headroom)"},
		{Usage{asked, nil, 0, nil}, "imap: unknown of 1000 (1030 with headroom)"},
		{
			Usage{Ceiling{"pop3", 50, 50, Configuration, nil, ""}, counted(60), 20, counted(59)},
			"pop3: 60 of 50, limited by configuration; 20 of them from before the last reload, which the limit does not count",
		},
	} {
		if got := tt.usage.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// What status --json and the documentation name.
func TestUsageAsJSON(t *testing.T) {
	got, err := json.Marshal([]any{
		Usage{Ceiling{"imap", 100, 112, "IMAP_CONCURRENCY", []int{143}, "ask"}, counted(90), 1, nil},
		Room{44, "pids.max", "grow"},
	})
	want := `[{"protocol":"imap","limit":100,"places":112,"limited_by":"IMAP_CONCURRENCY","sessions":90,"older":1,"connections":null},` +
		`{"limit":44,"limited_by":"pids.max"}]`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}
