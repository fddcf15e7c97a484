package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"pidgeon/metrics"
	"pidgeon/occupancy"
)

// serveMetrics answers on METRICS_PORT; what it returns ends that. Where it cannot
// listen it says so: mail is served all the same.
func (e *entrypoint) serveMetrics() (stop func()) {
	if e.settings.MetricsPort == 0 {
		return func() {}
	}
	s := &scrapes{control: e.control}
	server := metrics.NewServer(s.answer)
	addresses, _ := withoutIPv6(e.settings.Listen)
	for _, address := range addresses {
		l, err := listenTCP(address, int(e.settings.MetricsPort))
		if err != nil {
			e.log.Error("no metrics", "address", address, "port", int(e.settings.MetricsPort), "error", err, "hint", bindHint("metrics", err))
			continue
		}
		server.Serve(l)
	}
	return server.Close
}

// sameMoment is how long a count is good for: many scrapers, or one that is mad,
// cost no more than one count in that time.
const sameMoment = time.Second

// scrapes are answered from the state of the moment.
type scrapes struct {
	control *control

	mu      sync.Mutex
	counted time.Time
	usage   []occupancy.Usage
}

func (s *scrapes) answer(path string) (metrics.Response, bool) {
	now := *s.control.now.Load()
	switch path {
	case "/metrics":
		var text strings.Builder
		now.Usage = s.count(now)
		metrics.Write(&text, now.measures())
		return metrics.Response{Status: 200, Type: metrics.ContentType, Body: text.String()}, true
	case "/healthz": // whoever answers is alive
		return metrics.Response{Status: 200}, true
	case "/readyz":
		if err := now.unhealthy(); err != nil {
			return metrics.Response{Status: 503, Body: err.Error() + "\n"}, true
		}
		return metrics.Response{Status: 200}, true
	}
	return metrics.Response{}, false
}

func (s *scrapes) count(now state) []occupancy.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.counted) > sameMoment {
		s.usage, _ = now.census.count(context.Background(), now.ceilings)
		s.counted = time.Now()
	}
	return s.usage
}

// unhealthy says why it does not serve. It connects to no listener: a probe would
// take a place from a user, and fail when all places are taken.
func (s state) unhealthy() error {
	if !s.Ready {
		return errors.New("not ready: Dovecot does not serve yet")
	}
	return missing(s.Listeners)
}
