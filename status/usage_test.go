package status

import (
	"encoding/json"
	"slices"
	"testing"

	"pidgeon/sizing"
)

func counted(n int) *int { return &n }

// used is how full a protocol is with a ceiling.
func used(c sizing.Ceiling, sessions *int, older int, connections *int) Usage {
	return Usage{c.Protocol, c.Limit, c.MaxConnections, c.By, sessions, older, connections, c.Cure}
}

func TestGauges(t *testing.T) {
	imap := sizing.Ceiling{Protocol: "imap", Limit: 100, MaxConnections: 112, By: "IMAP_CONCURRENCY", Cure: "ask"}
	sieve := sizing.Ceiling{Protocol: "sieve", Limit: 44, MaxConnections: 44, By: "pids.max", Cure: "grow"}
	for _, tt := range []struct {
		name     string
		usage    []Usage
		capacity sizing.Capacity
		want     []gauge
	}{
		{"logged in or not", []Usage{used(imap, counted(90), 0, counted(95))}, sizing.Capacity{}, []gauge{{"imap", 95, 100, 112, "ask"}}},
		{"over a Unix socket", []Usage{used(imap, counted(90), 0, counted(85))}, sizing.Capacity{}, []gauge{{"imap", 90, 100, 112, "ask"}}},
		{"no anvil", []Usage{used(imap, nil, 0, counted(85))}, sizing.Capacity{}, []gauge{{"imap", 85, 100, 112, "ask"}}},
		{"no /proc/net", []Usage{used(imap, counted(90), 5, nil)}, sizing.Capacity{}, []gauge{{"imap", 85, 100, 112, "ask"}}},
		{"no limit", []Usage{used(sizing.Ceiling{Protocol: "imap", By: sizing.Configuration}, counted(90), 0, nil)}, sizing.Capacity{}, nil},
		{"nothing known", []Usage{used(imap, nil, 0, nil)}, sizing.Capacity{Sessions: 200, By: "pids.max", Cure: "grow"}, nil},
		{
			"older ones count for the container alone",
			[]Usage{used(imap, counted(90), 60, counted(95))},
			sizing.Capacity{Sessions: 200, By: "pids.max", Cure: "grow"},
			[]gauge{{"imap", 35, 100, 112, "ask"}, {"", 95, 200, 0, "grow"}},
		},
		{
			"the container is the limit",
			[]Usage{used(imap, counted(30), 0, counted(30)), used(sieve, counted(10), 0, counted(10))},
			sizing.Capacity{Sessions: 44, By: "pids.max", Cure: "grow"},
			[]gauge{{"imap", 30, 100, 112, "ask"}, {"", 40, 44, 0, "grow"}},
		},
	} {
		if got := gauges(tt.usage, tt.capacity); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestUsageInWords(t *testing.T) {
	asked := sizing.Ceiling{Protocol: "imap", Limit: 1000, MaxConnections: 1030, By: "IMAP_CONCURRENCY"}
	overridden := sizing.Ceiling{Protocol: "pop3", Limit: 50, MaxConnections: 50, By: sizing.Configuration}
	for _, tt := range []struct {
		usage Usage
		want  string
	}{
		{used(asked, counted(812), 0, counted(812)), "812 of 1000 (1030 with headroom)"},
		{used(asked, counted(0), 0, counted(3)), "0 of 1000 (1030 with headroom); 3 more not logged in"},
		{used(asked, nil, 0, counted(3)), "at most 3 of 1000 (1030 with headroom)"},
		{used(asked, nil, 0, nil), "unknown of 1000 (1030 with headroom)"},
		{
			used(overridden, counted(60), 20, counted(59)),
			"60 of 50, limited by configuration; 20 of them from before the last reload, which the limit does not count",
		},
	} {
		if got := tt.usage.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// What status --json and the documentation name.
func TestDocumentAsJSON(t *testing.T) {
	s := Snapshot{
		Document: Document{Version: "1", Dovecot: "2.4.1", Ready: true, Generation: "gen-000001", Overrides: []string{"a.conf"}, Listeners: map[string]int{"imap": 143}},
		Capacity: sizing.Capacity{Sessions: 44, By: "pids.max", Cure: "grow"},
	}
	d := s.document()
	d.Usage = []Usage{used(sizing.Ceiling{Protocol: "imap", Limit: 100, MaxConnections: 112, By: "IMAP_CONCURRENCY", Ports: []int{143}, Cure: "ask"}, counted(90), 1, nil)}
	d.Uncounted = "no"
	got, err := json.Marshal(d)
	want := `{"version":"1","dovecot":"2.4.1","ready":true,"degraded":false,"generation":"gen-000001","overrides":["a.conf"],` +
		`"listeners":{"imap":143},"reloads":{"loaded":0,"refused":0},` +
		`"sessions":[{"protocol":"imap","limit":100,"places":112,"limited_by":"IMAP_CONCURRENCY","sessions":90,"older":1,"connections":null}],` +
		`"uncounted":"no","container":{"limit":44,"limited_by":"pids.max"}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}
