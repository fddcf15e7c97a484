package main

import (
	"reflect"
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

// The cures that TestCeilings expects.
const (
	raiseIMAP     = "set IMAP_CONCURRENCY above 100"
	raiseOverride = "process_limit and client_limit of imap-login and imap in an override: raise them there, or set IMAP_CONCURRENCY without them"
	raisePIDs     = "docker run --pids-limit 222; Compose: pids_limit: 222; Kubernetes: podPidsLimit of the kubelet"
	raiseMorePIDs = "docker run --pids-limit 3090; Compose: pids_limit: 3090; Kubernetes: podPidsLimit of the kubelet"
)

func TestCeilings(t *testing.T) {
	imap := func(limit, places int, by, cure string) occupancy.Ceiling {
		return occupancy.Ceiling{Protocol: "imap", Limit: limit, Places: places, By: by, Ports: []int{143, 993}, Cure: cure}
	}
	sieve := occupancy.Ceiling{Protocol: "sieve", Limit: 10, Places: 20, By: "SIEVE_CONCURRENCY", Ports: []int{4190}, Cure: "set SIEVE_CONCURRENCY above 10"}
	for _, tt := range []struct {
		name       string
		overridden map[string]int
		allowed    sizing.Allowed
		want       []occupancy.Ceiling
		room       occupancy.Room
	}{
		{"as asked for", nil, sizing.Allowed{}, []occupancy.Ceiling{imap(100, 112, "IMAP_CONCURRENCY", raiseIMAP), sieve}, occupancy.Room{}},
		{"lower by an override", map[string]int{"imap/process_limit": 50}, sizing.Allowed{}, []occupancy.Ceiling{imap(50, 50, occupancy.Configuration, raiseOverride), sieve}, occupancy.Room{}},
		{"higher by an override", map[string]int{"imap-login/process_limit": 300, "imap/process_limit": 300}, sizing.Allowed{}, []occupancy.Ceiling{imap(300, 300, occupancy.Configuration, raiseOverride), sieve}, occupancy.Room{}},
		// 60 processes without any session, and two for each.
		{"a small container", nil, sizing.Allowed{Processes: 60 + 2*44}, []occupancy.Ceiling{imap(44, 44, "pids.max", raisePIDs), sieve}, occupancy.Room{Sessions: 44, By: "pids.max", Cure: raisePIDs}},
		{"a large container", nil, sizing.Allowed{Processes: 60 + 2*1000}, []occupancy.Ceiling{imap(100, 112, "IMAP_CONCURRENCY", raiseIMAP), sieve}, occupancy.Room{Sessions: 1000, By: "pids.max", Cure: raiseMorePIDs}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := builder{dovecot: &dovecot.Dovecot{Dialect: "2.4"}, machine: sizing.Machine{CPUs: 2, Files: 1 << 16}, allowed: tt.allowed}
			got, has := b.ceilings(runs(t, tt.overridden))
			if !reflect.DeepEqual(got, tt.want) || has != tt.room {
				t.Errorf("got %+v, %+v\nwant %+v, %+v", got, has, tt.want, tt.room)
			}
		})
	}
}
