package settings_test

import (
	"fmt"
	"strings"
	"testing"

	"pidgeon/settings"
)

// BenchmarkUsers reads a list of 50,000 users; a reload reads it once.
func BenchmarkUsers(b *testing.B) {
	var list strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&list, "user%d@example.com:{SHA512-CRYPT}$6$%016d$%086d\n", i, i, i)
	}
	environ := []string{"USERS=" + list.String()}
	for b.Loop() {
		if _, err := settings.Load(environ); err != nil {
			b.Fatal(err)
		}
	}
}
