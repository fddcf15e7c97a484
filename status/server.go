package status

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"pidgeon/metrics"
)

// ServeMetrics answers HTTP requests for metrics and probes that come to the
// listeners, until stop is called, which closes them.
func ServeMetrics(listeners []net.Listener, now func() Snapshot) (stop func()) {
	s := &scrapes{now: now}
	server := metrics.NewServer(s.answer)
	for _, l := range listeners {
		server.Serve(l)
	}
	return server.Close
}

// sameMoment is how long a count is good for: many scrapers, or one that is mad,
// cost no more than one count in that time.
const sameMoment = time.Second

// scrapes are answered from the state of the moment.
type scrapes struct {
	now func() Snapshot

	mu      sync.Mutex
	counted time.Time
	usage   []Usage
}

func (s *scrapes) answer(path string) (metrics.Response, bool) {
	switch path {
	case "/metrics":
		var text strings.Builder
		now := s.now()
		told := now.document()
		told.Usage = s.count(now)
		metrics.Write(&text, told.measures())
		return metrics.Response{Status: 200, Type: metrics.ContentType, Body: text.String()}, true
	case "/healthz": // whoever answers is alive
		return metrics.Response{Status: 200}, true
	case "/readyz":
		if err := s.now().Unhealthy(); err != nil {
			return metrics.Response{Status: 503, Body: err.Error() + "\n"}, true
		}
		return metrics.Response{Status: 200}, true
	}
	return metrics.Response{}, false
}

func (s *scrapes) count(now Snapshot) []Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.counted) > sameMoment {
		s.usage, _ = now.count(context.Background())
		s.counted = time.Now()
	}
	return s.usage
}
