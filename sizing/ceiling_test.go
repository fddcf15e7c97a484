package sizing

import (
	"encoding/json"
	"reflect"
	"testing"
)

// A ceiling and a capacity that another process wrote are read back whole.
func TestCeilingAsJSON(t *testing.T) {
	type both struct {
		Ceilings []Ceiling
		Capacity Capacity
	}
	want := both{
		[]Ceiling{{Protocol: "imap", Limit: 100, MaxConnections: 112, By: "IMAP_CONCURRENCY", Cure: "ask", Ports: []int{143, 993}}},
		Capacity{Sessions: 44, By: "pids.max", Cure: "grow"},
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got both
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s came back as %+v (%v)", text, got, err)
	}
}

func TestBound(t *testing.T) {
	capacity := Capacity{Sessions: 44, By: "pids.max", Cure: "grow"}
	ceilings := []Ceiling{
		{Protocol: "imap", Limit: 100, MaxConnections: 112, By: "IMAP_CONCURRENCY", Cure: "ask"},
		{Protocol: "sieve", Limit: 10, MaxConnections: 20, By: "SIEVE_CONCURRENCY", Cure: "ask"},
	}
	want := []Ceiling{{Protocol: "imap", Limit: 44, MaxConnections: 44, By: "pids.max", Cure: "grow"}, ceilings[1]}
	if ceilings = capacity.Bound(ceilings); !reflect.DeepEqual(ceilings, want) {
		t.Errorf("got %+v, want %+v", ceilings, want)
	}
	if ceilings = (Capacity{}).Bound(ceilings); !reflect.DeepEqual(ceilings, want) {
		t.Errorf("without limit it became %+v", ceilings)
	}
}

func TestConnections(t *testing.T) {
	imap, sieve := Ceiling{Ports: []int{143, 993}}, Ceiling{Ports: []int{4190}}
	if got := Ports(imap, sieve); !reflect.DeepEqual(got, map[int]bool{143: true, 993: true, 4190: true}) {
		t.Errorf("ports %v", got)
	}
	if n := imap.Connections(map[int]int{143: 2, 993: 3, 4190: 5}); n != 5 {
		t.Errorf("%d connections, want 5", n)
	}
}
