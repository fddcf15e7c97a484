package torture

import (
	"strings"
	"testing"
	"time"

	"pidgeon/tests/pidgeontest"
)

// mustServe makes sure that all sessions live and a new one opens.
func (s *server) mustServe(t testing.TB, c *crowd) {
	t.Helper()
	if s.Over() {
		t.Fatal("the server has ended")
	}
	if lost := c.lost(); lost > 0 {
		t.Errorf("%d sessions are lost", lost)
	}
	if err := login(s.port(), "user1"); err != nil {
		t.Errorf("a login fails: %v", err)
	}
}

// mustBeCalm makes sure that health says all is as asked for.
func (s *server) mustBeCalm(t testing.TB) { s.mustBe(t, "healthy: ") }

// mustBe waits until the server is healthy and says so.
func (s *server) mustBe(t testing.TB, state string) {
	t.Helper()
	last := ""
	if !pidgeontest.Within(pidgeontest.Patience, func() bool {
		var code int
		code, last = s.Health()
		return code == 0 && strings.Contains(last, state)
	}) {
		t.Errorf("health says: %s", last)
	}
}

// rounds is how often something random is done.
func rounds(few int) int {
	if *whole {
		return 20
	}
	return few
}

// long leaves a test to make torture.
func long(t *testing.T) {
	t.Helper()
	if !*whole {
		t.Skip("takes long: make torture")
	}
}

func nextYear() time.Time { return time.Now().Add(365 * 24 * time.Hour) }
