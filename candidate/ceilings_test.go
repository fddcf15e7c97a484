package candidate

import (
	"reflect"
	"strconv"
	"testing"

	"pidgeon/config"
	"pidgeon/container"
	"pidgeon/dovecot"
	"pidgeon/settings"
	"pidgeon/sizing"
)

// runs is a candidate for IMAP and Sieve as Dovecot would be read back to have it,
// with a limit or two set otherwise.
func runs(t *testing.T, overridden map[string]int) (Candidate, Interpretation) {
	t.Helper()
	s, err := settings.Load([]string{"PROTOCOLS=imap,lmtp,sieve", "IMAP_CONCURRENCY=100", "IMAP_MODE=secure", "SIEVE_CONCURRENCY=10"})
	if err != nil {
		t.Fatal(err)
	}
	c := Candidate{Sources: Sources{Settings: s}, Demand: s.Demand(), Sizes: sizing.Size(s.Demand(), sizing.Machine{CPUs: 2, Files: 1 << 16})}
	m := Interpretation{Effective: dovecot.Settings{}}
	for _, service := range c.Sizes.Services {
		m.Effective["service/"+service.Name+"/process_limit"] = strconv.Itoa(service.ProcessLimit)
		m.Effective["service/"+service.Name+"/client_limit"] = strconv.Itoa(service.ClientLimit)
	}
	for name, value := range overridden {
		m.Effective["service/"+name] = strconv.Itoa(value)
	}
	m.Listeners = []config.Listener{{Protocol: "imap", Port: 143}, {Protocol: "imap", Port: 993}, {Protocol: "sieve", Port: 4190}}
	return c, m
}

// The cures that TestCeilings expects.
const (
	raiseIMAP     = "set IMAP_CONCURRENCY above 100"
	raiseOverride = "process_limit and client_limit of imap-login and imap in an override: raise them there, or set IMAP_CONCURRENCY without them"
	raisePIDs     = "docker run --pids-limit 222; Compose: pids_limit: 222; Kubernetes: podPidsLimit of the kubelet"
	raiseMorePIDs = "docker run --pids-limit 3096; Compose: pids_limit: 3096; Kubernetes: podPidsLimit of the kubelet"
)

func TestCeilings(t *testing.T) {
	imap := func(limit, places int, by, cure string) sizing.Ceiling {
		return sizing.Ceiling{Protocol: "imap", Limit: limit, MaxConnections: places, By: by, Ports: []int{143, 993}, Cure: cure}
	}
	sieve := sizing.Ceiling{Protocol: "sieve", Limit: 10, MaxConnections: 20, By: "SIEVE_CONCURRENCY", Ports: []int{4190}, Cure: "set SIEVE_CONCURRENCY above 10"}
	for _, tt := range []struct {
		name       string
		overridden map[string]int
		allowed    sizing.Allowed
		want       []sizing.Ceiling
		capacity   sizing.Capacity
	}{
		{"as asked for", nil, sizing.Allowed{}, []sizing.Ceiling{imap(100, 112, "IMAP_CONCURRENCY", raiseIMAP), sieve}, sizing.Capacity{}},
		{"lower by an override", map[string]int{"imap/process_limit": 50}, sizing.Allowed{}, []sizing.Ceiling{imap(50, 50, sizing.Configuration, raiseOverride), sieve}, sizing.Capacity{}},
		{"higher by an override", map[string]int{"imap-login/process_limit": 300, "imap/process_limit": 300}, sizing.Allowed{}, []sizing.Ceiling{imap(300, 300, sizing.Configuration, raiseOverride), sieve}, sizing.Capacity{}},
		// 56 processes without any session, eight login processes ahead and twice that, two for each.
		{"a small container", nil, sizing.Allowed{Processes: 60 + 2*44}, []sizing.Ceiling{imap(44, 44, "pids.max", raisePIDs), sieve}, sizing.Capacity{Sessions: 44, By: "pids.max", Cure: raisePIDs}},
		{"a large container", nil, sizing.Allowed{Processes: 64 + 2*1000}, []sizing.Ceiling{imap(100, 112, "IMAP_CONCURRENCY", raiseIMAP), sieve}, sizing.Capacity{Sessions: 1002, By: "pids.max", Cure: raiseMorePIDs}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := Host{Dovecot: &dovecot.Dovecot{Dialect: "2.4"}, Facts: container.Facts{Machine: sizing.Machine{CPUs: 2, Files: 1 << 16}, Allowed: tt.allowed}}
			c, m := runs(t, tt.overridden)
			got, has := h.ceilings(c, m)
			got = has.Bound(got)
			if !reflect.DeepEqual(got, tt.want) || has != tt.capacity {
				t.Errorf("got %+v, %+v\nwant %+v, %+v", got, has, tt.want, tt.capacity)
			}
		})
	}
}
