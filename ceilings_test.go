package main

import (
	"slices"
	"strconv"
	"testing"

	"pidgeon/dovecot"
	"pidgeon/occupancy"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// runs is a candidate for IMAP and Sieve as Dovecot would be read back to have it,
// with a limit or two set otherwise.
func runs(t *testing.T, overridden map[string]int) candidate {
	t.Helper()
	s, err := settings.Load([]string{"PROTOCOLS=imap,lmtp,sieve", "IMAP_CONCURRENCY=100", "IMAP_MODE=secure", "SIEVE_CONCURRENCY=10"})
	if err != nil {
		t.Fatal(err)
	}
	c := candidate{settings: s, asked: s.Ask(), sizes: sizing.Size(s.Ask(), sizing.Machine{CPUs: 2, Files: 1 << 16}), effective: dovecot.Settings{}}
	for _, service := range c.sizes.Services {
		c.effective["service/"+service.Name+"/process_limit"] = strconv.Itoa(service.ProcessLimit)
		c.effective["service/"+service.Name+"/client_limit"] = strconv.Itoa(service.ClientLimit)
	}
	for name, value := range overridden {
		c.effective["service/"+name] = strconv.Itoa(value)
	}
	c.listeners = []dovecot.Listener{{Protocol: "imap", Port: 143}, {Protocol: "imap", Port: 993}, {Protocol: "sieve", Port: 4190}}
	return c
}

func TestCeilings(t *testing.T) {
	for _, tt := range []struct {
		name       string
		overridden map[string]int
		allowed    sizing.Allowed
		want       []ceiling
		room       bound
	}{
		{"as asked for", nil, sizing.Allowed{}, []ceiling{
			{"imap", 100, 112, "IMAP_CONCURRENCY", []int{143, 993}},
			{"sieve", 10, 20, "SIEVE_CONCURRENCY", []int{4190}},
		}, bound{}},
		{"lower by an override", map[string]int{"imap/process_limit": 50}, sizing.Allowed{}, []ceiling{
			{"imap", 50, 50, byConfiguration, []int{143, 993}},
			{"sieve", 10, 20, "SIEVE_CONCURRENCY", []int{4190}},
		}, bound{}},
		{"higher by an override", map[string]int{"imap-login/process_limit": 300, "imap/process_limit": 300}, sizing.Allowed{}, []ceiling{
			{"imap", 300, 300, byConfiguration, []int{143, 993}},
			{"sieve", 10, 20, "SIEVE_CONCURRENCY", []int{4190}},
		}, bound{}},
		// 60 processes without any session, and two for each.
		{"a small container", nil, sizing.Allowed{Processes: 60 + 2*44}, []ceiling{
			{"imap", 44, 44, "pids.max", []int{143, 993}},
			{"sieve", 10, 20, "SIEVE_CONCURRENCY", []int{4190}},
		}, bound{44, "pids.max", 148}},
		{"a large container", nil, sizing.Allowed{Processes: 60 + 2*1000}, []ceiling{
			{"imap", 100, 112, "IMAP_CONCURRENCY", []int{143, 993}},
			{"sieve", 10, 20, "SIEVE_CONCURRENCY", []int{4190}},
		}, bound{1000, "pids.max", 2060}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := builder{dovecot: &dovecot.Dovecot{Dialect: "2.4"}, machine: sizing.Machine{CPUs: 2, Files: 1 << 16}, allowed: tt.allowed}
			got, has := b.ceilings(runs(t, tt.overridden))
			same := func(a, b ceiling) bool {
				return a.Protocol == b.Protocol && a.Limit == b.Limit && a.Places == b.Places && a.By == b.By && slices.Equal(a.ports, b.ports)
			}
			if !slices.EqualFunc(got, tt.want, same) || has != tt.room {
				t.Errorf("got %+v, %+v\nwant %+v, %+v", got, has, tt.want, tt.room)
			}
		})
	}
}

func counted(n int) *int { return &n }

func TestGauges(t *testing.T) {
	imap, sieve := ceiling{"imap", 100, 112, "IMAP_CONCURRENCY", nil}, ceiling{"sieve", 44, 44, "pids.max", nil}
	for _, tt := range []struct {
		name  string
		usage []usage
		room  bound
		want  []occupancy.Gauge
	}{
		{"logged in or not", []usage{{imap, counted(90), 0, counted(95)}}, bound{}, []occupancy.Gauge{{Name: "imap", Used: 95, Limit: 100}}},
		{"over a Unix socket", []usage{{imap, counted(90), 0, counted(85)}}, bound{}, []occupancy.Gauge{{Name: "imap", Used: 90, Limit: 100}}},
		{"no anvil", []usage{{imap, nil, 0, counted(85)}}, bound{}, []occupancy.Gauge{{Name: "imap", Used: 85, Limit: 100}}},
		{"no /proc/net", []usage{{imap, counted(90), 5, nil}}, bound{}, []occupancy.Gauge{{Name: "imap", Used: 85, Limit: 100}}},
		{"nothing known", []usage{{imap, nil, 0, nil}}, bound{200, "pids.max", 500}, nil},
		{
			"older ones count for the container alone",
			[]usage{{imap, counted(90), 60, counted(95)}},
			bound{200, "pids.max", 500},
			[]occupancy.Gauge{{Name: "imap", Used: 35, Limit: 100}, {Name: container, Used: 95, Limit: 200}},
		},
		{
			"the container is the limit",
			[]usage{{imap, counted(30), 0, counted(30)}, {sieve, counted(10), 0, counted(10)}},
			bound{44, "pids.max", 148},
			[]occupancy.Gauge{{Name: "imap", Used: 30, Limit: 100}, {Name: container, Used: 40, Limit: 44}},
		},
	} {
		if got := (state{Room: tt.room}).gauges(tt.usage); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestUsageInWords(t *testing.T) {
	asked := ceiling{"imap", 1000, 1030, "IMAP_CONCURRENCY", nil}
	for _, tt := range []struct {
		usage usage
		want  string
	}{
		{usage{asked, counted(812), 0, counted(812)}, "imap: 812 of 1000 (1030 with headroom)"},
		{usage{asked, counted(0), 0, counted(3)}, "imap: 0 of 1000 (1030 with headroom); 3 more not logged in"},
		{usage{asked, nil, 0, counted(3)}, "imap: at most 3 of 1000 (1030 with headroom)"},
		{usage{asked, nil, 0, nil}, "imap: unknown of 1000 (1030 with headroom)"},
		{
			usage{ceiling{"pop3", 50, 50, byConfiguration, nil}, counted(60), 20, counted(59)},
			"pop3: 60 of 50, limited by configuration; 20 of them from before the last reload, which the limit does not count",
		},
	} {
		if got := tt.usage.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestCures(t *testing.T) {
	s := state{Room: bound{44, "pids.max", 148}}
	for _, tt := range []struct {
		gauge occupancy.Gauge
		of    ceiling
		want  string
	}{
		{occupancy.Gauge{Name: "imap", Limit: 100}, ceiling{By: "IMAP_CONCURRENCY"}, "set IMAP_CONCURRENCY above 100"},
		{
			occupancy.Gauge{Name: "sieve", Limit: 5},
			ceiling{By: byConfiguration},
			"process_limit and client_limit of managesieve-login and managesieve in an override: raise them there, or set SIEVE_CONCURRENCY without them",
		},
		{
			occupancy.Gauge{Name: container, Limit: 44},
			ceiling{},
			"docker run --pids-limit 222; Compose: pids_limit: 222; Kubernetes: podPidsLimit of the kubelet",
		},
	} {
		if got := s.raise(tt.gauge, tt.of); got != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.gauge.Name, got, tt.want)
		}
	}
}
