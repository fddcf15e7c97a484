package pidgeontest

import (
	"slices"
	"sync"
	"testing"
)

func TestEachCallsOnce(t *testing.T) {
	var mu sync.Mutex
	var got []int
	Each(100, 7, func(i int) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, i)
	})
	slices.Sort(got)
	for i := range 100 {
		if len(got) != 100 || got[i] != i {
			t.Fatalf("got %v", got)
		}
	}
}
